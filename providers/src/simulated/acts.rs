//! Whose object may be touched, and what a change of it comes to: the rules of
//! [`matih_model::provider`] inside of one transaction of the world.
//!
//! Beyond the model's contract: an update or delete that names the object by its remote id may
//! take over what bears no mark (it was imported) or the mark of another address of the same
//! tenant (it was moved in the record). An update whose outcome is there already succeeds, also
//! where `expects` is an older token, so that a repeated call whose reply was lost is no conflict.

use matih_model::{
    Applied, Attributes, Digest, ErrorKind, Kind, KindSchema, OwnerMark, ProviderError, RemoteId,
    Value, Version,
};

use super::change::Arrived;
use super::server::{Scope, Server};
use super::session::{Object, Session, token};
use super::tree;
use super::world::{Done, WorldError};

/// What is outside of a transaction but decides in it.
pub(super) struct Request<'a> {
    pub(super) schema: &'a KindSchema,
    pub(super) call: &'a Arrived,
    /// What to set: all that is wanted, or half of it where a fault says so.
    pub(super) wanted: &'a Attributes,
    /// How many calls it takes until lists show a new object.
    pub(super) lag: u32,
}

type Reply<T> = Done<Result<T, ProviderError>>;

/// Says no without having touched anything.
macro_rules! refuse {
    ($kind:ident, $($text:tt)*) => {
        return Ok(Err(ProviderError::new(ErrorKind::$kind, format!($($text)*))))
    };
}

/// Makes an object, or adopts our own.
pub(super) fn create(session: &Session<'_>, request: &Request<'_>) -> Reply<Applied> {
    let (call, kind) = (request.call, &request.schema.kind);
    let name = call.server.name(request.wanted, Some(&call.owner));
    if let Some(there) = session.named(kind, &name)? {
        let ours = there
            .owner
            .as_ref()
            .is_some_and(|owner| same(owner, &call.owner));
        if !ours {
            refuse!(
                Conflict,
                "{} cannot be created: a {kind} called `{name}` is there already and belongs to {}",
                call.owner.address,
                whose(&there)
            );
        }
        return Ok(change(session, request, there)?.map(|applied| Applied {
            adopted: true,
            ..applied
        }));
    }
    if let Some(there) = session.marked(&call.owner.installation, &call.owner.address)? {
        refuse!(
            Conflict,
            "{} cannot be created: it is there already under another name, as {}",
            call.owner.address,
            there.remote_id
        );
    }
    let mut object = newborn(session, kind, name, request.wanted.clone())?;
    object.owner = Some(call.owner.clone());
    call.secrets.clone_into(&mut object.secrets);
    if request.lag > 0 {
        object.visible_at = session.fact("clock")? + i64::from(request.lag);
    }
    object.remote_id = call.server.id(&scope(&object));
    serve(&mut object, call.server, Attributes::new());
    claim(&mut object, &call.attributes);
    session.insert(&object)?;
    Ok(Ok(applied(&object)))
}

/// Alters an object.
pub(super) fn update(session: &Session<'_>, request: &Request<'_>) -> Reply<Applied> {
    let Some(there) = find(session, request.schema, request.call)? else {
        refuse!(NotFound, "{} is not there", request.call.owner.address);
    };
    if let Err(error) = ownership(&there, request.call) {
        return Ok(Err(error));
    }
    change(session, request, there)
}

/// Takes an object away.
pub(super) fn delete(session: &Session<'_>, request: &Request<'_>) -> Reply<()> {
    let call = request.call;
    let Some(there) = find(session, request.schema, call)? else {
        return Ok(Ok(()));
    };
    if let Err(error) = ownership(&there, call).and_then(|()| expected(&there, call)) {
        return Ok(Err(error));
    }
    remove(session, &there)?;
    Ok(Ok(()))
}

/// Takes an object away, and a namespace with all that is in it.
pub(super) fn remove(session: &Session<'_>, there: &Object) -> Done<()> {
    let inside = (there.kind.as_str() == "kubernetes.manifest"
        && at(&there.asked, &["manifest", "kind"]).and_then(Value::as_str) == Some("Namespace"))
    .then(|| {
        let name = at(&there.asked, &["manifest", "metadata", "name"]).and_then(Value::as_str);
        place_of(there.asked.text("cluster"), name)
    });
    session.remove(there, inside.flatten().as_deref())
}

/// Brings an object that may be touched to what is wanted.
fn change(session: &Session<'_>, request: &Request<'_>, mut there: Object) -> Reply<Applied> {
    let call = request.call;
    if there
        .owner
        .as_ref()
        .is_some_and(|owner| owner.generation > call.owner.generation)
    {
        refuse!(
            Conflict,
            "{} is there in a later life than this plan knows: as {}",
            call.owner.address,
            whose(&there)
        );
    }
    let is_as = |wanted: &Attributes| {
        there.token == token(&there.remote_id, wanted, there.owner.as_ref())
            && there.secrets == call.secrets
    };
    let marked = there
        .owner
        .as_ref()
        .is_some_and(|owner| owner.is_of_one_life_with(&call.owner));
    // Half of what is wanted may be there all along: that is no outcome of an earlier call.
    if !is_as(&call.attributes)
        && let Err(error) = expected(&there, call)
    {
        return Ok(Err(error));
    }
    if is_as(request.wanted) && marked {
        return Ok(Ok(applied(&there)));
    }
    let fixed = request
        .schema
        .attributes
        .iter()
        .filter(|schema| schema.immutable);
    for path in fixed.map(|schema| &schema.path) {
        let before = path.find(&there.asked);
        // What half a create left out may still come, but not if it is part of the name.
        let is_fixed = before.is_some() || call.server.is_named_by(path);
        if is_fixed && before != path.find(request.wanted) {
            refuse!(
                Invalid,
                "{}: `{path}` of a {} cannot be changed in place",
                call.owner.address,
                there.kind
            );
        }
    }
    // What others set beside ours stays; what was ours before and is no longer wanted goes.
    let beside = tree::absent(&tree::absent(&there.overlay, &there.asked), request.wanted);
    there.asked = request.wanted.clone();
    there.owner = Some(call.owner.onto(there.owner.as_ref()));
    call.secrets.clone_into(&mut there.secrets);
    there.revision += 1;
    serve(&mut there, call.server, beside);
    claim(&mut there, &call.attributes);
    session.replace(&there)?;
    Ok(Ok(applied(&there)))
}

/// Lets the server fill in its part, over what is there `beside` ours.
fn serve(object: &mut Object, server: &Server, beside: Attributes) {
    let scope = scope(object);
    let filled = tree::absent(&server.fill(&scope), &object.asked);
    let outputs = server.outputs(&scope);
    object.overlay = tree::merged(&beside, &filled);
    object.outputs = outputs;
    object.token = token(&object.remote_id, &object.asked, object.owner.as_ref());
}

/// Books all that was asked for as its owner's, whatever of it was set: where a call broke off in
/// the middle, a default of the server may be what was wanted, and is looked after like the rest.
fn claim(object: &mut Object, asked: &Attributes) {
    if object.asked != *asked {
        let now = object.now();
        object.overlay = tree::difference(asked, &now);
        let owned = tree::owned(asked, &now);
        object.token = token(&object.remote_id, &owned, object.owner.as_ref());
        object.asked = asked.clone();
    }
}

fn scope(object: &Object) -> Scope<'_> {
    Scope {
        attributes: &object.asked,
        owner: object.owner.as_ref(),
        birth: object.birth,
        serial: object.serial,
        revision: object.revision,
        id: &object.remote_id,
    }
}

/// Makes an object that nobody of ours asked for.
pub(super) fn foreign(
    session: &Session<'_>,
    server: &Server,
    kind: &Kind,
    asked: Attributes,
) -> Done<Object> {
    let name = server.name(&asked, None);
    if session.named(kind, &name)?.is_some() {
        let kind = kind.clone();
        return Err(WorldError::Taken { kind, name });
    }
    let mut object = newborn(session, kind, name, asked)?;
    object.remote_id = server.id(&scope(&object));
    serve(&mut object, server, Attributes::new());
    session.insert(&object)?;
    Ok(object)
}

/// An object of nobody, without ids yet.
fn newborn(session: &Session<'_>, kind: &Kind, name: String, asked: Attributes) -> Done<Object> {
    let next = "SELECT ifnull(max(serial), 0) + 1 FROM object";
    let (seed, lives) = (session.fact("seed")?, session.lives(kind, &name)?);
    Ok(Object {
        serial: session.first(next, [], |row| row.get(0))?.unwrap_or(1),
        kind: kind.clone(),
        birth: Digest::of("matih simulated birth v1", &(seed, kind, &name, lives)),
        name,
        remote_id: String::new(),
        token: String::new(),
        revision: 1,
        visible_at: 0,
        place: place(kind, &asked),
        owner: None,
        asked,
        overlay: Attributes::new(),
        outputs: Attributes::new(),
        secrets: String::new(),
    })
}

/// The object that a call is about: by remote id, else by mark.
fn find(session: &Session<'_>, schema: &KindSchema, call: &Arrived) -> Done<Option<Object>> {
    match &call.remote_id {
        Some(remote_id) => session.at(&schema.kind, remote_id.as_str()),
        None => session.marked(&call.owner.installation, &call.owner.address),
    }
}

/// Whether the call may touch what it found.
fn ownership(there: &Object, call: &Arrived) -> Result<(), ProviderError> {
    let allowed = match &there.owner {
        None => true,
        Some(owner) => {
            owner.installation == call.owner.installation && owner.tenant() == call.owner.tenant()
        }
    };
    if !allowed {
        let text = format!(
            "{} may not be touched: {} belongs to {}",
            call.owner.address,
            there.remote_id,
            whose(there)
        );
        return Err(ProviderError::new(ErrorKind::Conflict, text));
    }
    Ok(())
}

/// Whether the object is as the call expects it.
fn expected(there: &Object, call: &Arrived) -> Result<(), ProviderError> {
    match &call.expects {
        Some(expects) if expects.ours() != there.token => Err(ProviderError::new(
            ErrorKind::Conflict,
            format!(
                "{} was changed by somebody else since it was last read; nothing was done",
                call.owner.address
            ),
        )),
        _ => Ok(()),
    }
}

fn same(a: &OwnerMark, b: &OwnerMark) -> bool {
    a.installation == b.installation && a.address == b.address
}

fn whose(object: &Object) -> String {
    match &object.owner {
        None => "nobody that matih knows".to_owned(),
        Some(owner) => format!(
            "{}, generation {}, of installation {}",
            owner.address, owner.generation, owner.installation
        ),
    }
}

fn applied(object: &Object) -> Applied {
    Applied {
        remote_id: RemoteId::new(&object.remote_id),
        outputs: object.outputs.clone(),
        version: Version::new(object.token.as_str()),
        adopted: false,
        unready: None,
    }
}

fn at<'a>(tree: &'a Attributes, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(tree.get(first)?, |value, part| value.as_map()?.get(part))
}

/// The namespace that an object is in and goes with.
fn place(kind: &Kind, attributes: &Attributes) -> Option<String> {
    let namespace = match kind.as_str() {
        "kubernetes.manifest" => at(attributes, &["manifest", "metadata", "namespace"])?,
        "helm.release" => attributes.get("namespace")?,
        _ => return None,
    };
    place_of(attributes.text("cluster"), namespace.as_str())
}

fn place_of(cluster: Option<&str>, namespace: Option<&str>) -> Option<String> {
    Some(format!("{}/{}", cluster?, namespace?))
}
