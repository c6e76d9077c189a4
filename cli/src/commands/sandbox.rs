//! `matih sandbox`: the simulated world seen and changed by hand.

mod fault;

use matih_model::{AttributePath, Attributes, Kind, ResourceName, Value};
use matih_providers::simulated::{Sandbox, SandboxObject, WorldError};

use crate::args::{Output, SandboxCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::Installation;
use crate::render::style::{STRONG, paint};
use crate::render::table::Table;
use crate::render::value::block;

/// Runs the command.
pub(crate) fn run(context: &Context, command: &SandboxCommand) -> Outcome {
    let installation = Installation::open(context)?;
    let world = installation.world();
    if let SandboxCommand::Ls { patterns, output } = command {
        return ls(context, &world, patterns, *output);
    }
    if makes_one(command) {
        installation.registry()?;
    }
    let sandbox = Sandbox::open(&world).map_err(|error| of_world(&error))?;
    let done = |what: &str, object: &SandboxObject| {
        context.screen.print(&format!("{what} {}.\n", name(object)));
    };
    let command = &whole(&sandbox, command)?;
    match command {
        SandboxCommand::Ls { .. } => {}
        SandboxCommand::Show { object, output } => {
            let object = sandbox.show(object).map_err(|error| of_world(&error))?;
            context.print(*output, || text(&object), || &object);
        }
        SandboxCommand::Edit { object, set } => {
            for change in set {
                let (path, value) = assignment(change)?;
                let edited = sandbox
                    .edit(object, &path, value)
                    .map_err(|error| of_world(&error))?;
                done(&format!("Changed {path} of"), &edited);
            }
        }
        SandboxCommand::Rm { object } => {
            done(
                "Removed",
                &sandbox.remove(object).map_err(|error| of_world(&error))?,
            );
        }
        SandboxCommand::Add { kind, set } => {
            let kind = Kind::new(kind).map_err(|error| Failure::usage(format!("{error}.")))?;
            let object = sandbox
                .add(&kind, attributes(set)?)
                .map_err(|error| of_world(&error))?;
            done("Made", &object);
        }
        SandboxCommand::Disown { object } => {
            done(
                "Took the mark off",
                &sandbox.disown(object).map_err(|error| of_world(&error))?,
            );
        }
        SandboxCommand::Capacity { resource, total } => {
            sandbox
                .set_capacity(resource, *total)
                .map_err(|error| of_world(&error))?;
            let room = total.map_or("without end".to_owned(), |total| total.to_string());
            context
                .screen
                .print(&format!("Room for {resource}: {room}.\n"));
        }
        SandboxCommand::Fault(command) => return fault::run(context, &sandbox, command),
    }
    Ok(Exit::Ok)
}

/// The command with the full address of its object, where it names `kind/name` alone.
fn whole(sandbox: &Sandbox, command: &SandboxCommand) -> Result<SandboxCommand, Failure> {
    use SandboxCommand::{Disown, Edit, Rm, Show};
    let mut command = command.clone();
    if let Show { object, .. } | Edit { object, .. } | Rm { object } | Disown { object } =
        &mut command
        && let Ok(name) = object.parse::<ResourceName>()
    {
        let all = sandbox.list(None).map_err(|error| of_world(&error))?;
        let owners = all.iter().filter_map(|it| it.owner.as_ref());
        let mut named = owners.filter(|it| it.address.resource_name() == name);
        if let (Some(only), None) = (named.next(), named.next()) {
            *object = only.address.to_string();
        }
    }
    Ok(command)
}

/// Whether a command makes sense in a world that nothing was applied to yet.
fn makes_one(command: &SandboxCommand) -> bool {
    use SandboxCommand::{Add, Capacity, Fault};
    matches!(command, Add { .. } | Capacity { .. } | Fault(_))
}

fn ls(context: &Context, world: &std::path::Path, patterns: &[String], output: Output) -> Outcome {
    let tenant = match &context.global.tenant {
        Some(word) => Some(crate::tenants::named(word)?),
        None => None,
    };
    // A world that nothing was ever made in has no objects.
    let mut objects = match Sandbox::open(world) {
        Ok(sandbox) => sandbox
            .list(tenant.as_ref())
            .map_err(|error| of_world(&error))?,
        Err(WorldError::Absent(_)) => Vec::new(),
        Err(error) => return Err(of_world(&error)),
    };
    objects.retain(|object| patterns.is_empty() || patterns.iter().any(|it| matches(it, object)));
    context.print(output, || list_text(&objects), || &objects);
    Ok(Exit::Ok)
}

fn list_text(objects: &[SandboxObject]) -> String {
    let mut table = Table::new(&["KIND", "OWNER", "GENERATION", "REMOTE ID"]);
    for object in objects {
        let owner = object.owner.as_ref();
        table.row([
            object.kind.to_string(),
            owner.map_or("nobody".to_owned(), |owner| owner.address.to_string()),
            owner.map_or(String::new(), |owner| owner.generation.to_string()),
            object.remote_id.to_string(),
        ]);
    }
    table.render()
}

fn matches(pattern: &str, object: &SandboxObject) -> bool {
    let owner = object.owner.as_ref().map(|owner| owner.address.clone());
    let names = [
        object.kind.to_string(),
        object.remote_id.to_string(),
        owner.as_ref().map(ToString::to_string).unwrap_or_default(),
        owner
            .map(|address| address.resource_name().to_string())
            .unwrap_or_default(),
    ];
    names.iter().any(|name| glob(pattern, name))
}

/// `*` stands for any run of characters, also none.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter()
                .any(|at| glob(rest, text.get(at..).unwrap_or_default()))
        }),
    }
}

fn name(object: &SandboxObject) -> String {
    match &object.owner {
        Some(owner) => owner.address.to_string(),
        None => format!("{} {}", object.kind, object.remote_id),
    }
}

fn text(object: &SandboxObject) -> String {
    let owner = match &object.owner {
        Some(owner) => format!(
            "{}, generation {}, {}",
            owner.address, owner.generation, owner.run
        ),
        None => "nobody".to_owned(),
    };
    format!(
        "{}\nkind: {}\nowner: {owner}\nversion: {}\n\n{}\n{}\n{}\n{}",
        paint(STRONG, &object.remote_id),
        object.kind,
        object.version.ours(),
        paint(STRONG, "attributes"),
        block(&object.attributes),
        paint(STRONG, "outputs"),
        block(&object.outputs)
    )
}

/// `path=value`; nothing behind the sign takes the attribute away.
fn assignment(text: &str) -> Result<(AttributePath, Option<Value>), Failure> {
    let (path, value) = text.split_once('=').ok_or_else(|| {
        Failure::usage(format!("`{text}` is not path=value.")).hint("for example ttl=60")
    })?;
    let path = path
        .parse()
        .map_err(|error| Failure::usage(format!("{error}.")))?;
    let value = match value {
        "" => None,
        text => Some(serde_json::from_str(text).unwrap_or_else(|_| Value::string(text))),
    };
    Ok((path, value))
}

/// Top-level attributes from `name=value`.
fn attributes(set: &[String]) -> Result<Attributes, Failure> {
    let mut attributes = Attributes::new();
    for text in set {
        match assignment(text)? {
            (path, Some(value)) if path.parts().len() == 1 => {
                attributes.insert(path.to_string(), value);
            }
            _ => {
                return Err(Failure::usage(format!("`{text}` is not name=value."))
                    .hint("give a table as JSON: manifest='{\"kind\":\"ConfigMap\"}'"));
            }
        }
    }
    Ok(attributes)
}

fn of_world(error: &WorldError) -> Failure {
    let failure = Failure::error(format!("{error}."));
    match error {
        WorldError::Absent(_) => failure.hint("matih apply makes one"),
        WorldError::NoSuchObject(_) | WorldError::Ambiguous(_) => failure.hint("matih sandbox ls"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(glob("dns.*/w*w", "dns.record/www"));
        assert!(glob("*", ""));
        assert!(!glob("dns.*", "iam.user"));
        assert!(!glob("dns", "dns.record"));
    }

    #[test]
    fn a_value_is_json_or_text_or_nothing() {
        let value = |text: &str| assignment(text).map_err(|it| it.message).unwrap().1;
        assert_eq!(value("ttl=60"), Some(Value::Integer(60)));
        assert_eq!(value("name=www"), Some(Value::string("www")));
        assert_eq!(value("a.b=[1]"), Some(Value::List(vec![Value::Integer(1)])));
        assert_eq!(value("a="), None);
        assert!(assignment("ttl").is_err());
    }
}
