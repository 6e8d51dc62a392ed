//! `order place`, `create`, `register`, `attach`, `submit`, `fix` and `wait`: what a form orders, as a whole or step by
//! step.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use number_order::Id;

use super::placing::Placing;
use super::placing::ending::Ending;
use super::placing::follower::{Follower, Until};
use crate::commands::command_error::CommandError;
use crate::commands::output::{print_error, print_line};
use crate::commands::project_client::{self, Options};
use crate::commands::shown;

/// Exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Arguments of a command that begins with a form.
#[derive(clap::Args, Debug)]
pub struct FormArguments {
    /// The form; `order requirements --form` writes one.
    #[arg(value_name = "FORM")]
    form: PathBuf,
    /// Create an order although an earlier one may have been created, so that there may be two.
    #[arg(long)]
    risk_second_order: bool,
    #[command(flatten)]
    options: Options,
}

/// Arguments of `order place`.
#[derive(clap::Args, Debug)]
pub struct PlaceArguments {
    #[command(flatten)]
    form: FormArguments,
    /// Only check the form, and say what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for Sinch's review: end once the order is in review.
    #[arg(long)]
    no_wait: bool,
}

/// Arguments of a command about an order with its form.
#[derive(clap::Args, Debug)]
pub struct OrderArguments {
    /// Id of the order.
    #[arg(value_name = "ORDER")]
    order: String,
    /// The form of the order.
    #[arg(long, value_name = "FORM")]
    form: PathBuf,
    /// Do not wait for Sinch's review.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    options: Options,
}

/// Places the order of a form, from the check until its numbers work.
pub(super) async fn place(
    config: Option<&Path>,
    arguments: &PlaceArguments,
) -> Result<ExitCode, CommandError> {
    let FormArguments {
        form,
        risk_second_order,
        options,
    } = &arguments.form;
    let placing = Placing::open(config, options, form).await?;
    placing.check()?;
    if arguments.dry_run {
        placing.explain().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let placed = placing.place(*risk_second_order, !arguments.no_wait);
    report(interruptible(placed).await?, options)
}

/// Creates the order of a form, and takes no further step.
pub(super) async fn create(
    config: Option<&Path>,
    arguments: &FormArguments,
) -> Result<ExitCode, CommandError> {
    let placing = Placing::open(config, &arguments.options, &arguments.form).await?;
    placing.check()?;
    let (ending, order) = placing.create_only(arguments.risk_second_order).await?;
    if let (Some(order), false) = (&order, arguments.options.json) {
        print_line(order);
    }
    report(Some((ending, order)), &arguments.options)
}

/// Step that a command takes on an existing order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Single {
    Register,
    Attach,
    Submit,
}

/// Takes one step of an existing order.
pub(super) async fn single(
    config: Option<&Path>,
    arguments: &OrderArguments,
    step: Single,
) -> Result<ExitCode, CommandError> {
    let order = project_client::id("ORDER", &arguments.order)?;
    let mut placing = Placing::open(config, &arguments.options, &arguments.form).await?;
    placing.adopt(&order).await?;
    match step {
        Single::Register => placing.register(&order, false).await?,
        Single::Attach => placing.upload(&order, false).await?,
        Single::Submit => {
            if !placing.submit(&order).await? {
                return Err(CommandError::failure(
                    "Sinch has not confirmed the submit, and the order does not show it: try again later",
                ));
            }
        }
    }
    let ending = placing.follower.ending_now(&order).await?;
    report(Some((ending, Some(order))), &arguments.options)
}

/// Corrects a BLOCKED order with its corrected form.
pub(super) async fn fix(
    config: Option<&Path>,
    arguments: &OrderArguments,
) -> Result<ExitCode, CommandError> {
    let order = project_client::id("ORDER", &arguments.order)?;
    let mut placing = Placing::open(config, &arguments.options, &arguments.form).await?;
    placing.check()?;
    placing.adopt(&order).await?;
    placing.print_reasons(&order).await?;
    let fixed = async {
        let ending = placing.fix(&order, !arguments.no_wait).await?;
        Ok((ending, Some(order.clone())))
    };
    report(interruptible(fixed).await?, &arguments.options)
}

/// Arguments of `order wait`.
#[derive(clap::Args, Debug)]
pub struct WaitArguments {
    /// Id of the order.
    #[arg(value_name = "ORDER")]
    order: String,
    /// Point until which to wait.
    #[arg(long, value_enum, default_value_t = Until::Ready)]
    until: Until,
    #[command(flatten)]
    options: Options,
}

/// Follows an order until the requested point, without a time limit.
pub(super) async fn wait(
    config: Option<&Path>,
    arguments: &WaitArguments,
) -> Result<ExitCode, CommandError> {
    let order = project_client::id("ORDER", &arguments.order)?;
    let follower = Follower::open(config, &arguments.options)?;
    let waited = async {
        let ending = follower.wait(&order, arguments.until).await?;
        Ok((ending, Some(order.clone())))
    };
    report(interruptible(waited).await?, &arguments.options)
}

/// Prints the ending and returns its exit code. After Ctrl-C it prints nothing, since [`interruptible`] has.
fn report(
    ended: Option<(Ending, Option<Id>)>,
    options: &Options,
) -> Result<ExitCode, CommandError> {
    Ok(match ended {
        Some((ending, order)) => ending.report(order.as_ref(), options.json),
        None => ExitCode::from(INTERRUPTED),
    })
}

/// Runs the work. On Ctrl-C, stops it, prints the same command, which resumes it, and returns `None`.
async fn interruptible<T>(
    work: impl Future<Output = Result<T, CommandError>>,
) -> Result<Option<T>, CommandError> {
    tokio::select! {
        done = work => done.map(Some),
        _ = tokio::signal::ctrl_c() => {
            let command = shown::command(std::env::args_os());
            print_error(format_args!("stopped; the journal has what was done. Go on with: {command}"));
            Ok(None)
        }
    }
}
