//! Actions of operators, recorded before they begin and once they have ended.

use sqlx::{Row, Sqlite};

use super::command::{WriteCommand, WriteContext};
use super::{Store, StoreError};
use crate::store::sql::actions::{end, insert, page, select_page};
use crate::store::sql::cursor::List;
use crate::store::{ActionFilter, ActionRow, Listing, NewAction};

struct Begin(NewAction);

impl WriteCommand for Begin {
    type Reply = i64;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<i64> {
        let mut query = insert::<Sqlite>(&self.0);
        let row = query.build().fetch_one(&mut context.db).await?;
        row.try_get("id")
    }
}

struct End(i64, u16, Option<String>);

impl WriteCommand for End {
    type Reply = ();

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<()> {
        let mut query = end::<Sqlite>(self.0, self.1, self.2.clone());
        query.build().execute(&mut context.db).await?;
        Ok(())
    }
}

impl Store {
    pub(in crate::store) async fn begin_action(
        &self,
        action: NewAction,
    ) -> Result<i64, StoreError> {
        self.write(Begin(action)).await
    }

    pub(in crate::store) async fn end_action(
        &self,
        action: i64,
        status: u16,
        body: Option<String>,
    ) -> Result<(), StoreError> {
        self.write(End(action, status, body)).await
    }

    pub(in crate::store) async fn actions(
        &self,
        filter: &ActionFilter,
    ) -> Result<Listing<ActionRow>, StoreError> {
        let after = filter.after.as_ref();
        let after = after.map(|cursor| List::Actions.row(cursor)).transpose()?;
        let found = select_page::<Sqlite>(filter, after)
            .build()
            .fetch_all(&mut *self.readers.begin().await?)
            .await?;
        let page = page(&found, filter)?;
        self.met.note(&page.unreadable);
        Ok(page)
    }
}
