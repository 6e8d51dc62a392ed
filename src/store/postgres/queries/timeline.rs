//! Lists that stand by time, page by page.

use crate::store::postgres::Store;
use crate::store::postgres::lane::bounded;
use crate::store::sql::cursor::List;
use crate::store::sql::timeline::{
    page_of_alerts, page_of_transitions, place, select_alerts, select_transitions,
};
use crate::store::{
    AlertFilter, ListedAlert, ListedTransition, Listing, StoreError, TransitionFilter,
};

impl Store {
    pub(in crate::store) async fn transitions(
        &self,
        filter: &TransitionFilter,
    ) -> Result<Listing<ListedTransition>, StoreError> {
        let after = place(List::Transitions, &filter.span)?;
        let page = bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let mut query = select_transitions(filter, after);
            let found = query.build().fetch_all(&mut *work).await?;
            work.undo().await?;
            Ok(page_of_transitions(&found, &filter.span)?)
        });
        let page = page.await?;
        self.shared.met.note(&page.unreadable);
        Ok(page)
    }

    pub(in crate::store) async fn alerts(
        &self,
        filter: &AlertFilter,
    ) -> Result<Listing<ListedAlert>, StoreError> {
        let after = place(List::Alerts, &filter.span)?;
        let page = bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let mut query = select_alerts(filter, after);
            let found = query.build().fetch_all(&mut *work).await?;
            work.undo().await?;
            Ok(page_of_alerts(&found, &filter.span)?)
        });
        let page = page.await?;
        self.shared.met.note(&page.unreadable);
        Ok(page)
    }

    pub(in crate::store) async fn projects(&self) -> Result<Vec<String>, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let found = sqlx::query_scalar("SELECT sinch_id FROM projects ORDER BY sinch_id");
            let found = found.fetch_all(&mut *work).await?;
            work.undo().await?;
            Ok(found)
        })
        .await
    }
}
