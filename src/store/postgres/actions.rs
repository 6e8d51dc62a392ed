//! Actions of operators, recorded before they begin and once they have ended.

use sqlx::{Postgres, Row};

use super::Store;
use super::lane::bounded;
use crate::store::sql::actions::{end, insert, page, select_page};
use crate::store::sql::cursor::List;
use crate::store::{ActionFilter, ActionRow, Listing, NewAction, StoreError};

impl Store {
    pub(in crate::store) async fn begin_action(
        &self,
        action: NewAction,
    ) -> Result<i64, StoreError> {
        let action = NewAction {
            acted_at: self.shared.clock.database(action.acted_at),
            ..action
        };
        bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let mut query = insert::<Postgres>(&action);
            let row = query.build().fetch_one(&mut *work).await?;
            work.commit().await?;
            Ok(row.try_get("id")?)
        })
        .await
    }

    pub(in crate::store) async fn end_action(
        &self,
        action: i64,
        status: u16,
        body: Option<String>,
    ) -> Result<(), StoreError> {
        bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let mut query = end::<Postgres>(action, status, body.clone());
            query.build().execute(&mut *work).await?;
            work.commit().await?;
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn actions(
        &self,
        filter: &ActionFilter,
    ) -> Result<Listing<ActionRow>, StoreError> {
        let after = filter.after.as_ref();
        let after = after.map(|cursor| List::Actions.row(cursor)).transpose()?;
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let mut query = select_page::<Postgres>(filter, after);
            let found = query.build().fetch_all(&mut *work).await?;
            work.undo().await?;
            let page = page(&found, filter)?;
            self.shared.met.note(&page.unreadable);
            Ok(page)
        })
        .await
    }
}
