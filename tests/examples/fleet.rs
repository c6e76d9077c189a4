//! The same fleet under Terraform and under matih, in one run, as ratios.
//!
//! ```text
//! cargo run --release -p matih-tests --example fleet              # 10 and 30 tenants
//! cargo run --release -p matih-tests --example fleet -- 10 30 100 # these sizes
//! cargo run --release -p matih-tests --example fleet -- --same 10 # as many resources for both
//! cargo run --release -p matih-tests --example fleet -- --alone 100 300 1000
//! ```
//!
//! Terraform gets 56 chained `terraform_data` a tenant, one for each step: its built-in resource
//! that does nothing, the price of the engine alone. With `--same` it gets as many as matih has
//! resources. matih gets whole PROFESSIONAL tenants on the simulated world without latency: some
//! 190 resources, each with real attributes. Times are whole processes by the
//! wall clock, memory is the peak of the process (`VmHWM`). Without a `terraform` on the path, and
//! with `--alone`, matih is measured alone.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use matih_tests::cost::Cost;
use matih_tests::{compiled, matih_binary, workspace_root};

/// The steps of the blueprint (domain.md section 1).
const STEPS: usize = 56;

/// One row of the table: what was done, and what it cost each of the two.
struct Row {
    what: &'static str,
    matih: Cost,
    terraform: Option<Cost>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let alone = arguments.iter().any(|argument| argument == "--alone");
    let same = arguments.iter().any(|argument| argument == "--same");
    arguments.retain(|argument| !argument.starts_with("--"));
    let mut sizes = arguments
        .iter()
        .map(|size| size.parse())
        .collect::<Result<Vec<u32>, _>>()?;
    if sizes.is_empty() {
        sizes = vec![10, 30];
    }
    let peer = !alone && Command::new("terraform").arg("version").output().is_ok();
    if !peer {
        println!("matih alone");
    }
    let ours = resources()?;
    let theirs = if same { ours } else { STEPS };
    println!("a tenant: {ours} resources for matih, {theirs} for terraform");
    println!(
        "{:>7}  {:<14} {:>22} {:>22} {:>8}",
        "tenants", "", "matih", "terraform", "ratio"
    );
    for tenants in sizes {
        for row in measure(tenants, peer.then_some(theirs))? {
            print_row(tenants, &row);
        }
    }
    Ok(())
}

/// How many resources the example tenant has: all of its graph that is recorded.
fn resources() -> Result<usize, Box<dyn Error>> {
    let graph = compiled::graph("acme", "acme", &|_| None)?;
    let all = graph.resources().keys();
    Ok(all
        .filter(|it| !it.kind.as_str().starts_with("check."))
        .count())
}

fn print_row(tenants: u32, row: &Row) {
    let cell = |cost: Cost| format!("{:.3} s {:>5} MiB", cost.wall.as_secs_f64(), cost.peak_mib);
    let ratio = row.terraform.map_or_else(String::new, |peer| {
        format!(
            "{:.0}x",
            peer.wall.as_secs_f64() / row.matih.wall.as_secs_f64()
        )
    });
    let peer = row.terraform.map_or_else(|| "-".to_owned(), cell);
    println!(
        "{tenants:>7}  {:<14} {:>22} {peer:>22} {ratio:>8}",
        row.what,
        cell(row.matih)
    );
}

/// `peer`: how many resources Terraform gets for each tenant; none without Terraform.
fn measure(tenants: u32, peer: Option<usize>) -> Result<Vec<Row>, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let ours = folder.path().join("matih");
    write_specs(&ours, tenants)?;
    let matih = |arguments: &[&str]| run(&ours, matih_binary(), arguments);
    let theirs = folder.path().join("terraform");
    write_modules(&theirs, tenants, peer.unwrap_or_default())?;
    let terraform = |arguments: &[&str]| -> Result<Option<Cost>, Box<dyn Error>> {
        if peer.is_some() {
            run(&theirs, Path::new("terraform"), arguments).map(Some)
        } else {
            Ok(None)
        }
    };
    terraform(&["init", "-input=false"])?;
    let mut rows = Vec::new();
    for (what, arguments) in [
        ("plan", &["plan"][..]),
        ("apply", &["apply", "-auto-approve"]),
        ("no-op plan", &["plan"]),
        ("no-op apply", &["apply", "-auto-approve"]),
    ] {
        let ours: Vec<&str> = arguments.iter().copied().chain(["tenants"]).collect();
        let theirs: Vec<&str> = arguments.iter().copied().chain(["-input=false"]).collect();
        rows.push(Row {
            what,
            matih: matih(&ours)?,
            terraform: terraform(&theirs)?,
        });
    }
    Ok(rows)
}

fn write_specs(folder: &Path, tenants: u32) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder.join("tenants"))?;
    fs::write(
        folder.join("matih.toml"),
        "[providers.simulated]\nlatency = \"none\"\n",
    )?;
    let acme = fs::read_to_string(workspace_root().join("specs/examples/acme.toml"))?;
    for number in 0..tenants {
        let slug = format!("tenant{number:04}");
        let spec = acme
            .replace("slug = \"acme\"", &format!("slug = \"{slug}\""))
            .replace(
                "name = \"Acme Corporation\"",
                &format!("name = \"Tenant {number}\""),
            )
            .replace("acme/", &format!("{slug}/"))
            .replace("acme.example", &format!("{slug}.example"));
        fs::write(folder.join("tenants").join(format!("{slug}.toml")), spec)?;
    }
    Ok(())
}

fn write_modules(folder: &Path, tenants: u32, resources: usize) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let mut text = String::new();
    for tenant in 0..tenants {
        for step in 1..=resources {
            writeln!(text, "resource \"terraform_data\" \"t{tenant}_s{step}\" {{")?;
            writeln!(text, "  input = {{ tenant = {tenant}, step = {step} }}")?;
            if step > 1 {
                writeln!(
                    text,
                    "  depends_on = [terraform_data.t{tenant}_s{}]",
                    step - 1
                )?;
            }
            writeln!(text, "}}")?;
        }
    }
    fs::write(folder.join("main.tf"), text)?;
    Ok(())
}

/// Runs a process in a folder.
fn run(folder: &Path, program: &Path, arguments: &[&str]) -> Result<Cost, Box<dyn Error>> {
    Ok(Cost::of(
        Command::new(program).args(arguments).current_dir(folder),
    )?)
}
