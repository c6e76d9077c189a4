//! matih in a pod: it and its helm log in by the pod's service account, and look at no kubeconfig.
//!
//! Without a cluster, or on a machine that allows no mount namespaces, this says so and passes.

use matih_tests::cluster::Cluster;
use matih_tests::cluster::pod::{Pod, USER};
use matih_tests::cluster::way::Traveller;

#[test]
fn the_account_of_the_pod_is_whom_the_server_sees() {
    let test = "the_account_of_the_pod_is_whom_the_server_sees";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let Some(pod) = Pod::start(&cluster, test) else {
        return;
    };
    let mut sandbox = pod.sandbox();
    // Who looked at it would go nowhere.
    sandbox.write("nowhere", "{ \"kind\": \"Config\", \"clusters\": 1 }");
    let nowhere = sandbox.path("nowhere");
    sandbox.set_env("KUBECONFIG", nowhere.to_str().unwrap());
    let traveller = Traveller::new(&cluster, sandbox, "heron");

    // Without a role the server says by name who has no right.
    let refused = traveller.run("apply", "one", &["--auto-approve"]);
    let text = refused.to_string();
    assert_ne!(refused.status, Some(0), "{refused}");
    assert!(text.contains(USER), "{refused}");

    pod.allow();
    traveller.live();

    // A token that is over.
    let _ = traveller.run("apply", "one", &["--auto-approve"]).exits(0);
    traveller.sandbox.write("account/token", "over");
    let refused = traveller.run("apply", "two", &["--auto-approve"]);
    assert_ne!(refused.status, Some(0), "{refused}");
    assert!(refused.to_string().contains("log in anew"), "{refused}");
    assert_eq!(traveller.texts(), ["one", "one"]);
    cluster.clear(&["heron"]);
}
