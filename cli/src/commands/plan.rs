//! `matih plan`: what an apply would do. Takes no lock, changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use matih_model::{Digest, Snapshot, TenantId};
use matih_specs::{Parsed, Source};
use matih_state::{Store, TenantSummary};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::args::{PlanArgs, Summary};
use crate::compiler::Compiler;
use crate::context::Context;
use crate::estimate::Timings;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::find;
use crate::installation::{Installation, of_state};
use crate::plan_file::{PlanFile, SavedPlan};
use crate::platform::Platform;
use crate::render;
use crate::render::document::Notation;
use crate::render::style::{STRONG, paint};
use crate::work::planning::{Order, Planned, explain, plan};
use crate::work::{approvals, in_order, saved_plan, unchanged, would_be_refused};

/// What the plans of all tenants of a command share.
struct Planner {
    context: Context,
    args: PlanArgs,
    installation: Installation,
    compiler: Compiler,
    store: Option<Store>,
}

/// The plan of one tenant, told; the plan itself is kept only if it is to be saved.
struct Told {
    news: bool,
    unread: bool,
    /// What would be refused.
    refused: Option<Failure>,
    text: String,
    json: Value,
    saved: Option<SavedPlan>,
    spec: String,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &PlanArgs) -> Outcome {
    let sources = find::specs(&args.specs)?;
    let planner = Arc::new(Planner::new(context, args)?);
    let same = planner.same(&sources).await?;
    let specs = planner.compiler.check(context, &sources, &same)?;
    let is_same = |source: &&Source| same.contains_key(&planner.compiler.inputs(source));
    let same: Vec<&Source> = sources.iter().filter(is_same).collect();
    let timings = if specs.is_empty() {
        Timings::new()
    } else {
        planner.timings()?
    };
    let (shared, runtime) = (planner.clone(), Handle::current());
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = Box::pin(in_order(jobs, specs, move |parsed: Parsed| {
        runtime.block_on(shared.one(&parsed, &timings))
    }));
    let mut told = Vec::new();
    while let Some(one) = all.next().await {
        let one = one?;
        if !told.is_empty() && planner.notation().is_none() {
            context.screen.print("\n");
        }
        context.screen.print(&one.text);
        if let Some(refused) = &one.refused {
            context.screen.complain(refused);
        }
        told.push(Told {
            text: String::new(),
            ..one
        });
    }
    drop(all);
    planner.end(&same, told)
}

impl Planner {
    fn new(context: &Context, args: &PlanArgs) -> Result<Self, Failure> {
        let platform = Platform::load(context)?.forced(args.selection.look.force_conflicts);
        let platform = Arc::new(platform);
        let compiler = Compiler::new(context, &platform)?;
        let installation = Installation::of(context, platform)?;
        let store = installation.store()?;
        Ok(Self {
            context: context.clone(),
            args: args.clone(),
            installation,
            compiler,
            store,
        })
    }

    /// How long actions took; read only where there is something to estimate.
    fn timings(&self) -> Result<Timings, Failure> {
        match &self.store {
            Some(store) => store.timings().map_err(|error| of_state(&error)),
            None => Ok(Timings::new()),
        }
    }

    fn notation(&self) -> Option<Notation> {
        self.context.notation(self.args.output)
    }

    /// The specs whose tenants are known to be unchanged, so that nothing need be compiled.
    async fn same(&self, sources: &[Source]) -> Result<BTreeMap<Digest, TenantSummary>, Failure> {
        let usual = self.args.selection.is_usual() && self.args.out.is_none();
        let Some(store) = self.store.as_ref().filter(|_| usual) else {
            return Ok(BTreeMap::new());
        };
        let inputs: Vec<_> = sources.iter().map(|it| self.compiler.inputs(it)).collect();
        unchanged(
            &self.installation,
            store,
            &inputs,
            self.args.selection.look.looks(),
        )
        .await
    }

    async fn one(&self, parsed: &Parsed, timings: &Timings) -> Result<Told, Failure> {
        let desired = self
            .compiler
            .compile(parsed, &self.installation.secret_digest());
        let desired = desired.map_err(|findings| self.context.invalid(&findings))?;
        self.context.warn(&desired.warnings);
        let order = Order::apply(desired, &self.args.selection)?;
        let head = self.head(&order.tenant)?;
        let approvals = approvals(&self.args.approvals)?;
        let store = self.store.as_ref();
        let mut planned = plan(&self.installation, store, head, &order, &approvals).await?;
        if let Err(missing) = self.installation.secrets.check(&planned.plan) {
            self.context.screen.warn(&missing.message);
        }
        let places = self.installation.platform.file.apply.parallelism;
        let places = usize::try_from(places).unwrap_or(1);
        explain(&self.installation, &mut planned, timings, places)?;
        Ok(self.tell(&order, &planned))
    }

    fn head(&self, tenant: &TenantId) -> Result<Option<Arc<Snapshot>>, Failure> {
        match &self.store {
            Some(store) => store.head(tenant).map_err(|error| of_state(&error)),
            None => Ok(None),
        }
    }

    fn tell(&self, order: &Order, planned: &Planned) -> Told {
        let catalog = &self.installation.platform.catalog;
        let detail = self.args.detail || self.context.screen.is_verbose();
        let view = planned.view(catalog, detail);
        let (text, json) = match (self.notation(), self.args.summary) {
            (Some(_), _) => (String::new(), render::plan::json(&view)),
            (None, Some(Summary::Md)) => (render::plan::markdown(&view), Value::Null),
            (None, None) => (render::plan::text(&view), Value::Null),
        };
        let allowed = &self.args.approvals.allow_data_loss;
        Told {
            news: planned.has_news(),
            unread: !planned.unread.is_empty(),
            refused: would_be_refused(planned).err(),
            text,
            json,
            saved: self
                .args
                .out
                .as_ref()
                .map(|_| saved_plan(order, planned, allowed)),
            spec: order.spec.clone().unwrap_or_default(),
        }
    }

    /// What is said of all plans together, and the command to type next.
    fn end(&self, same: &[&Source], told: Vec<Told>) -> Outcome {
        let screen = &self.context.screen;
        let changed = told.iter().filter(|it| it.news).count();
        let unread = told.iter().filter(|it| it.unread).count();
        let refused = told.iter().any(|it| it.refused.is_some());
        let count = same.len() + told.len();
        if let Some(notation) = self.notation() {
            let plans: Vec<_> = told.iter().map(|it| &it.json).collect();
            let same: Vec<_> = same.iter().map(|source| &*source.name).collect();
            let document = json!({ "v": 1, "plans": plans, "unchanged": same });
            screen.print_document(notation, &document);
        } else if count > 1 {
            let line = format!(
                "{count} tenants: {changed} with changes, {} without.",
                count - changed
            );
            screen.print(&format!("\n{}\n", paint(STRONG, line)));
        } else if !same.is_empty() {
            let words = paint(STRONG, "No changes.");
            screen.print(&format!("{words} The tenant is as its spec says.\n"));
        }
        if refused {
            if self.args.out.is_some() {
                screen.say("\nNot saved, since something would be refused.");
            }
            return Ok(Exit::Preflight);
        }
        if let Some(path) = &self.args.out {
            let plans = told.into_iter().filter_map(|it| it.saved).collect();
            let file = PlanFile::new(crate::clock::now_ms(), plans);
            file.write(path, self.installation.secrets.keys())?;
            screen.say(&format!(
                "\nSaved. To do exactly this: matih apply {}{}",
                path.display(),
                self.args.selection.look.of_saved()
            ));
        } else if changed > 0 {
            screen.say(&format!("\nTo do it: {}", self.next(&told)));
        }
        Ok(match (changed + unread, self.args.detailed_exitcode) {
            (1.., true) => Exit::Changes,
            _ => Exit::Ok,
        })
    }

    /// The apply with the words of this plan.
    fn next(&self, told: &[Told]) -> String {
        let named: Vec<_> = self
            .args
            .specs
            .iter()
            .map(|it| it.display().to_string())
            .collect();
        let specs = match (named.as_slice(), told) {
            ([], [only]) => only.spec.clone(),
            _ => named.join(" "),
        };
        let selection = self.args.selection.words();
        format!("matih apply {specs}{selection}")
    }
}
