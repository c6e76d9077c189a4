//! `matih sandbox fault`: the script of what goes wrong.

use matih_providers::simulated::{CallOp, FaultRule, FaultState, Sandbox, When};

use super::of_world;
use crate::args::FaultCommand;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::render::table::Table;

/// Runs the command.
pub(super) fn run(context: &Context, sandbox: &Sandbox, command: &FaultCommand) -> Outcome {
    match command {
        FaultCommand::List { output } => {
            let faults = sandbox.faults().map_err(|error| of_world(&error))?;
            context.print(*output, || text(&faults), || &faults);
        }
        FaultCommand::Add {
            on,
            fault,
            op,
            at,
            every,
        } => {
            let fault = fault
                .parse()
                .map_err(|error| Failure::usage(format!("{error}.")))?;
            let rule = FaultRule {
                on: on.clone(),
                op: op.as_deref().and_then(call),
                when: at.map_or(When::Every(every.unwrap_or(1)), When::At),
                fault,
            };
            let id = sandbox.add_fault(&rule).map_err(|error| of_world(&error))?;
            context.screen.print(&format!("Fault {id} waits.\n"));
        }
        FaultCommand::Clear { id } => {
            let count = sandbox
                .clear_faults(*id)
                .map_err(|error| of_world(&error))?;
            context
                .screen
                .print(&format!("Took {count} faults away.\n"));
        }
    }
    Ok(Exit::Ok)
}

fn text(faults: &[FaultState]) -> String {
    let mut table = Table::new(&["ID", "ON", "OP", "WHEN", "FAULT", "MATCHED", "STRUCK"]);
    for fault in faults {
        let when = match fault.rule.when {
            When::At(number) => format!("at {number}"),
            When::Every(number) => format!("every {number}"),
        };
        table.row([
            fault.id.to_string(),
            fault.rule.on.clone(),
            fault.rule.op.map_or("changes", CallOp::as_str).to_owned(),
            when,
            fault.rule.fault.to_string(),
            fault.matched.to_string(),
            fault.struck.to_string(),
        ]);
    }
    table.render()
}

fn call(word: &str) -> Option<CallOp> {
    let all = [
        CallOp::Create,
        CallOp::Update,
        CallOp::Delete,
        CallOp::Check,
        CallOp::Read,
        CallOp::List,
    ];
    all.into_iter().find(|op| op.as_str() == word)
}
