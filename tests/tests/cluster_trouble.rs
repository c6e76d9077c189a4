//! Applies that fail in the middle on a real cluster, and the two ways out: what hinders is taken
//! away by hand and `resume` goes on, or `rollback` brings the tenant back.

use matih_tests::acme::example;
use matih_tests::cluster::Cluster;
use matih_tests::cluster::life::{YES, apply, assert_quiet, assert_sound, destroy, edit, field};
use matih_tests::{Output, Sandbox};

/// A STARTER tenant under a name of its own.
struct Tenant {
    cluster: Cluster,
    sandbox: Sandbox,
    slug: &'static str,
    namespace: String,
}

const SPEC: &str = "tenant.toml";

impl Tenant {
    fn applied(test: &str, slug: &'static str) -> Option<Self> {
        let cluster = Cluster::find(test)?;
        cluster.wait_until_quiet();
        let sandbox = cluster.sandbox();
        let spec = example("starter").replace("slug = \"finch\"", &format!("slug = \"{slug}\""));
        sandbox.write(SPEC, &spec.replace("Finch Retail", slug));
        let tenant = Self {
            cluster,
            sandbox,
            slug,
            namespace: format!("tenant-{slug}"),
        };
        tenant.of_version("2.0.0");
        let _ = apply(&tenant.sandbox, SPEC).exits(0);
        Some(tenant)
    }

    /// Sets the version of every service's image.
    fn of_version(&self, version: &str) {
        let names = self.sandbox.read("names/tables.toml");
        let names = names
            .split("\n[charts]")
            .next()
            .unwrap_or_default()
            .trim_end()
            .to_owned();
        let tables = format!("{names}\n\n[charts]\napp_version = \"{version}\"\n");
        self.sandbox.write("names/tables.toml", &tables);
    }

    /// Somebody gives the namespace a second quota, with room for the pods that are there and no
    /// more.
    fn tighten(&self) {
        let words = [
            "get",
            "pods",
            "--namespace",
            &self.namespace,
            "--output=name",
        ];
        let pods = self.cluster.kubectl(&words).stdout.lines().count();
        let quota = format!(
            "apiVersion: v1\nkind: ResourceQuota\nmetadata: {{ name: tight, namespace: {} }}\nspec: {{ hard: {{ pods: \"{pods}\" }} }}\n",
            self.namespace
        );
        self.cluster.make(&quota);
        // The server minds it when its status is there.
        let until = format!("--for=jsonpath={{.status.hard.pods}}={pods}");
        let words = [
            "wait",
            "resourcequota/tight",
            "--namespace",
            &self.namespace,
            &until,
            "--timeout=60s",
        ];
        let _ = self.cluster.kubectl(&words);
    }

    fn loosen(&self) {
        let _ = self.cluster.kubectl(&[
            "delete",
            "resourcequota",
            "tight",
            "--namespace",
            &self.namespace,
        ]);
    }

    fn rollback(&self) -> Output {
        self.sandbox
            .run(&[&["rollback", self.slug, "--last-good"], YES].concat())
    }

    fn assert_sound(&self) {
        assert_sound(&self.cluster, &self.sandbox, self.slug, SPEC);
        assert_quiet(&self.cluster, &self.sandbox, SPEC);
    }

    /// The image of a service.
    fn image(&self, service: &str) -> String {
        let path = ".spec.template.spec.containers[0].image";
        field(
            &self.cluster,
            &self.namespace,
            &format!("deployment/{service}"),
            path,
        )
    }
}

/// Fails unless a run stopped in the middle with these words.
#[track_caller]
fn assert_stopped(output: Output, told: &str) {
    let output = output.exits(3);
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(text.contains(told), "no `{told}` in\n{output}");
}

#[test]
fn a_quota_that_is_too_small_stops_an_apply() {
    let Some(tenant) = Tenant::applied("a_quota_that_is_too_small_stops_an_apply", "twite") else {
        return;
    };
    let sandbox = &tenant.sandbox;
    let off = sandbox.read(SPEC);

    // A module more needs a pod more.
    tenant.tighten();
    edit(
        sandbox,
        SPEC,
        "data_platform = true",
        "data_platform = true\nml = true",
    );
    assert_stopped(apply(sandbox, SPEC), "exceeded quota");
    tenant.loosen();
    let _ = sandbox.run(&["resume", SPEC, "--auto-approve"]).exits(0);
    tenant.assert_sound();

    // Off, and on again into the same trouble; this time back to where it was.
    let on = sandbox.read(SPEC);
    sandbox.write(SPEC, &off);
    let _ = apply(sandbox, SPEC).exits(0);
    tenant.assert_sound();
    tenant.tighten();
    sandbox.write(SPEC, &on);
    assert_stopped(apply(sandbox, SPEC), "exceeded quota");
    let _ = tenant.rollback().exits(0);
    sandbox.write(SPEC, &off);
    tenant.loosen();
    tenant.assert_sound();
    let _ = destroy(sandbox, tenant.slug).exits(0);
}

#[test]
fn a_bad_version_is_rolled_back() {
    let Some(tenant) = Tenant::applied("a_bad_version_is_rolled_back", "redpoll") else {
        return;
    };
    tenant.of_version("2.0.1");
    let _ = apply(&tenant.sandbox, SPEC).exits(0);
    tenant.assert_sound();
    assert!(
        tenant.image("ai-service").ends_with(":2.0.1"),
        "{}",
        tenant.image("ai-service")
    );

    tenant.of_version("image-missing");
    assert_stopped(apply(&tenant.sandbox, SPEC), "ImagePull");
    let _ = tenant.rollback().exits(0);
    assert!(
        tenant.image("ai-service").ends_with(":2.0.1"),
        "{}",
        tenant.image("ai-service")
    );
    tenant.of_version("2.0.1");
    tenant.assert_sound();
    let _ = destroy(&tenant.sandbox, tenant.slug).exits(0);
}
