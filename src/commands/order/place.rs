//! `order place`, `create`, `register`, `attach`, `submit`, `fix` and `wait`: what a form orders, as a whole or step by
//! step.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use number_order::Id;
use tokio::signal::unix::{SignalKind, signal};

use super::placing::Placing;
use super::placing::ending::{Ending, Subject};
use super::placing::follower::{Follower, Progress, Until};
use super::placing::registration::Target;
use crate::commands::acted_on::id_to_act_on;
use crate::commands::command_error::CommandError;
use crate::commands::output::{print_error, print_line};
use crate::commands::project_client::Options;
use crate::commands::shown;

/// Time beyond that of a request for which Ctrl-C lets a create go on, so that its outcome is recorded.
const RECORDING_MAX: Duration = Duration::from_secs(10);

/// Arguments of a command that begins with a form.
#[derive(clap::Args, Debug)]
pub struct FormArguments {
    /// The form; `order requirements --form` writes one.
    #[arg(value_name = "FORM")]
    form: PathBuf,
    /// Send a create once although an earlier one may have made an order, so that there may be two.
    #[arg(long)]
    risk_second_order: bool,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Arguments of `order place`.
#[derive(clap::Args, Debug)]
pub struct PlaceArguments {
    #[command(flatten)]
    pub(super) form: FormArguments,
    /// Change nothing: check the form, find out how its order stands, and say what would be done next.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for Sinch's review: end once the order is in review.
    #[arg(long)]
    no_wait: bool,
}

/// Arguments of a command about an order with its form.
#[derive(clap::Args, Debug)]
pub struct OrderArguments {
    /// Id of the order, or a whole number of it, such as +61491570156.
    #[arg(value_name = "ORDER")]
    order: String,
    /// The form from which the order was created.
    #[arg(long, value_name = "FORM")]
    form: PathBuf,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Arguments of `order fix`.
#[derive(clap::Args, Debug)]
pub struct FixArguments {
    #[command(flatten)]
    pub(super) order: OrderArguments,
    /// Do not wait for Sinch's review: end once the order is in review again.
    #[arg(long)]
    no_wait: bool,
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
    let placing = Placing::open(config, options, form, Progress::Output).await?;
    placing.check()?;
    if arguments.dry_run {
        placing.dry_run().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let placed = placing.place(*risk_second_order, !arguments.no_wait);
    let (ending, order) = interruptible(&placing.follower, placed).await?;
    Ok(report(&placing, form, &ending, order, options.json))
}

/// Creates the order of a form, and takes no further step.
pub(super) async fn create(
    config: Option<&Path>,
    arguments: &FormArguments,
) -> Result<ExitCode, CommandError> {
    let FormArguments { form, options, .. } = arguments;
    let placing = Placing::open(config, options, form, Progress::Error).await?;
    placing.check()?;
    let created = placing.create_only(arguments.risk_second_order);
    let (ending, order) = interruptible(&placing.follower, created).await?;
    if let (Some(order), false) = (&order, options.json) {
        print_line(order);
    }
    Ok(report(&placing, form, &ending, order, options.json))
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
    let OrderArguments {
        order,
        form,
        options,
    } = arguments;
    let order = id_to_act_on(config, options.project.as_deref(), order).await?;
    let mut placing = Placing::open(config, options, form, Progress::Output).await?;
    placing.adopt(&order).await?;
    let target = Target {
        order: &order,
        from: None,
    };
    let taken = async {
        match step {
            Single::Register => placing.register(target, false).await?,
            Single::Attach => placing.upload(target, false).await?,
            Single::Submit => {
                if !placing.submit(&order).await? {
                    return Err(CommandError::failure(
                        "Sinch has not confirmed the submit, and the order does not show it: try again later",
                    ));
                }
            }
        }
        placing.follower.ending_now(&order).await
    };
    let ending = interruptible(&placing.follower, taken).await?;
    Ok(report(&placing, form, &ending, Some(order), options.json))
}

/// Corrects a BLOCKED order with its corrected form.
pub(super) async fn fix(
    config: Option<&Path>,
    arguments: &FixArguments,
) -> Result<ExitCode, CommandError> {
    let OrderArguments {
        order,
        form,
        options,
    } = &arguments.order;
    let order = id_to_act_on(config, options.project.as_deref(), order).await?;
    let mut placing = Placing::open(config, options, form, Progress::Output).await?;
    placing.check()?;
    placing.adopt(&order).await?;
    let fixed = placing.fix(&order, !arguments.no_wait);
    let ending = interruptible(&placing.follower, fixed).await?;
    Ok(report(&placing, form, &ending, Some(order), options.json))
}

/// Arguments of `order wait`.
#[derive(clap::Args, Debug)]
pub struct WaitArguments {
    /// Id of the order, or a whole number of it, such as +61491570156.
    #[arg(value_name = "ORDER")]
    order: String,
    /// Point at which to end.
    #[arg(long, value_enum, default_value_t = Until::Ready)]
    until: Until,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Follows an order until the requested point, without a time limit.
pub(super) async fn wait(
    config: Option<&Path>,
    arguments: &WaitArguments,
) -> Result<ExitCode, CommandError> {
    let WaitArguments {
        order,
        until,
        options,
    } = arguments;
    let order = id_to_act_on(config, options.project.as_deref(), order).await?;
    let follower = Follower::open(config, options, Progress::Output)?;
    let ending = interruptible(&follower, follower.wait(&order, *until)).await?;
    let subject = Subject {
        invocation: &follower.invocation,
        order: Some(order),
        seen: follower.seen(),
        form: None,
    };
    Ok(ending.report(&subject, options.json))
}

/// Prints the ending of a command that had a form, and returns its exit code.
fn report(
    placing: &Placing,
    form: &Path,
    ending: &Ending,
    order: Option<Id>,
    json: bool,
) -> ExitCode {
    let subject = Subject {
        invocation: &placing.follower.invocation,
        order,
        seen: placing.follower.seen(),
        form: Some((form, placing.reference())),
    };
    ending.report(&subject, json)
}

/// Runs the work. Ctrl-C stops it; a create that is under way goes on until its outcome is recorded, for as long as a
/// request may last, or until Ctrl-C comes again.
///
/// # Errors
///
/// Fails as the work does, or because it was stopped: with the same command, which resumes it.
async fn interruptible<T>(
    follower: &Follower,
    work: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    let unheard = |error| CommandError::failure(format!("Ctrl-C cannot be heard: {error}"));
    let mut interrupts = signal(SignalKind::interrupt()).map_err(unheard)?;
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        _ = interrupts.recv() => {}
    }
    let uninterrupted = &follower.uninterrupted;
    if uninterrupted.try_lock().is_err() {
        print_error(
            "stopping once the outcome of the create is recorded; Ctrl-C again stops at once",
        );
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = interrupts.recv() => {}
            _ = uninterrupted.lock() => {}
            () = tokio::time::sleep(follower.request_timeout + RECORDING_MAX) => {}
        }
    }
    let command = shown::command(std::env::args_os());
    Err(CommandError::interrupted(format!(
        "stopped; the journal has what was done. Go on with: {command}"
    )))
}
