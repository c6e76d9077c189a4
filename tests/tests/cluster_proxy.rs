//! The API server behind a proxy, which matih and its helm both go through: the one that the
//! environment names, or the one of the kubeconfig.
//!
//! Without a cluster these tests say so and pass.

use matih_tests::Sandbox;
use matih_tests::cluster::Cluster;
use matih_tests::cluster::tunnels::{SERVER, Tunnels};
use matih_tests::cluster::way::Traveller;

/// A sandbox whose kubeconfig knows the server by the name that only the proxy can resolve.
fn behind(cluster: &Cluster, proxy: Option<&str>) -> Sandbox {
    let direct = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
    let server = format!("\"https://{}\"", cluster.authority());
    assert!(direct.contains(&server), "{server}");
    let proxy = proxy.map_or_else(String::new, |it| format!(", proxy-url: \"{it}\""));
    let sandbox = cluster.sandbox_by("kubeconfig = \"proxied.kubeconfig\"");
    let text = direct.replace(&server, &format!("\"{SERVER}\"{proxy}"));
    sandbox.write("proxied.kubeconfig", &text);
    sandbox
}

#[test]
fn the_proxy_of_the_environment_is_gone_through() {
    let Some(cluster) = Cluster::find("the_proxy_of_the_environment_is_gone_through") else {
        return;
    };
    let proxy = Tunnels::start(&cluster);
    let mut sandbox = behind(&cluster, None);
    sandbox.set_env("HTTPS_PROXY", &proxy.address());
    Traveller::new(&cluster, sandbox, "swift").live();
    println!("{} tunnels for a life", proxy.opened());
    assert!(proxy.opened() > 0);
}

#[test]
fn the_proxy_of_a_kubeconfig_stands_above_the_environment() {
    let Some(cluster) = Cluster::find("the_proxy_of_a_kubeconfig") else {
        return;
    };
    let proxy = Tunnels::start(&cluster);
    let mut sandbox = behind(&cluster, Some(&proxy.address()));
    sandbox.set_env("HTTPS_PROXY", "http://127.0.0.1:1");
    sandbox.set_env("NO_PROXY", "*");
    Traveller::new(&cluster, sandbox, "martin").live();
    assert!(proxy.opened() > 0);
}

#[test]
fn a_server_on_this_machine_needs_no_proxy() {
    let Some(cluster) = Cluster::find("a_server_on_this_machine_needs_no_proxy") else {
        return;
    };
    let proxy = Tunnels::start(&cluster);
    let mut sandbox = cluster.sandbox();
    sandbox.set_env("HTTPS_PROXY", &proxy.address());
    let traveller = Traveller::new(&cluster, sandbox, "crane");
    let planned = traveller.run("plan", "one", &["--detailed-exitcode"]);
    let planned = planned.exits(2);
    assert!(planned.stdout.contains("asked: accepted"), "{planned}");
    assert_eq!(proxy.opened(), 0);
}

#[test]
fn a_proxy_that_refuses_is_told_without_the_login() {
    let Some(cluster) = Cluster::find("a_proxy_that_refuses") else {
        return;
    };
    let proxy = Tunnels::start(&cluster);
    let mut sandbox = behind(&cluster, None);
    sandbox.set_env("HTTPS_PROXY", &proxy.address_of_a_stranger());
    let stranger = Traveller::new(&cluster, sandbox, "stork");
    let told = stranger.run("plan", "one", &[]);
    let text = told.to_string();
    assert!(
        text.contains("through its proxy: tunnel error: proxy authorization required"),
        "{told}"
    );
    assert!(!text.contains("mistaken"), "{told}");
    assert_eq!(proxy.opened(), 0);
}
