//! Lists that stand by time, page by page.

use crate::store::sql::cursor::List;
use crate::store::sql::timeline::{
    page_of_alerts, page_of_transitions, place, select_alerts, select_transitions,
};
use crate::store::sqlite::{Store, StoreError};
use crate::store::{AlertFilter, ListedAlert, ListedTransition, Listing, TransitionFilter};

impl Store {
    pub(in crate::store) async fn transitions(
        &self,
        filter: &TransitionFilter,
    ) -> Result<Listing<ListedTransition>, StoreError> {
        let after = place(List::Transitions, &filter.span)?;
        let found = select_transitions(filter, after)
            .build()
            .fetch_all(&mut *self.readers.begin().await?)
            .await?;
        let page = page_of_transitions(&found, &filter.span)?;
        self.met.note(&page.unreadable);
        Ok(page)
    }

    pub(in crate::store) async fn alerts(
        &self,
        filter: &AlertFilter,
    ) -> Result<Listing<ListedAlert>, StoreError> {
        let after = place(List::Alerts, &filter.span)?;
        let found = select_alerts(filter, after)
            .build()
            .fetch_all(&mut *self.readers.begin().await?)
            .await?;
        let page = page_of_alerts(&found, &filter.span)?;
        self.met.note(&page.unreadable);
        Ok(page)
    }

    pub(in crate::store) async fn projects(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT sinch_id FROM projects ORDER BY sinch_id";
        let found = sqlx::query_scalar(sql);
        Ok(found.fetch_all(&mut *self.readers.begin().await?).await?)
    }
}
