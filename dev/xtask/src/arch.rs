//! `cargo xtask arch`: a crate depends only on crates of its own layer or of a layer above it in `LAYERS`.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::path::Path;

/// From what everything may use to what nothing depends on.
const LAYERS: [&str; 8] = ["base", "mail", "proto", "state", "flow", "serve", "bin", "dev"];

/// Layers whose crates never depend on each other.
const ISLANDS: [&str; 1] = ["serve"];

/// (crate, dependency, why it is allowed). Tests may use the test kit from anywhere.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

/// Crates of `base` that bring a clock, a socket or a file with them, and so are closed to the pure layers.
const IMPURE: [&str; 4] = ["telemetry", "config", "net", "disk"];

/// Roles that hold no mail: none of these may link the mail store, not even through another crate.
const DATALESS: [&str; 2] = ["mx", "submission"];

/// All dependencies that run upwards, sideways between islands, or into a pure layer.
pub fn breaches(root: &Path) -> Vec<String> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .exec()
        .expect("cargo metadata works in this workspace");
    let mut found = Vec::new();
    for package in metadata.workspace_packages() {
        found.extend(package_breaches(root, &metadata, package));
    }
    found.extend(dataless_breaches(&metadata));
    found
}

fn package_breaches(root: &Path, metadata: &Metadata, package: &Package) -> Vec<String> {
    let Some(from) = layer(root, package) else {
        return vec![format!("{}: not in a folder of a layer ({})", package.name, LAYERS.join(", "))];
    };
    let mut found = Vec::new();
    for dependency in &package.dependencies {
        let Some(target) = workspace_package(metadata, &dependency.name) else { continue };
        let Some(to) = layer(root, target) else { continue };
        let test_kit = dependency.kind == DependencyKind::Development && target.name.as_str() == "testkit";
        if test_kit || excepted(&package.name, &dependency.name) {
            continue;
        }
        if let Some(why) = refusal(from, to, &dependency.name) {
            found.push(format!("{} -> {}: {why}", package.name, dependency.name));
        }
    }
    found
}

fn refusal(from: usize, to: usize, dependency: &str) -> Option<String> {
    if to > from {
        return Some(format!("{} may not depend on {}", LAYERS[from], LAYERS[to]));
    }
    if from == to && ISLANDS.contains(&LAYERS[from]) {
        return Some(format!("crates of {} never depend on each other", LAYERS[from]));
    }
    let pure = ["mail", "proto"].contains(&LAYERS[from]);
    (pure && IMPURE.contains(&dependency)).then(|| format!("{} is pure", LAYERS[from]))
}

fn dataless_breaches(metadata: &Metadata) -> Vec<String> {
    let linked = |name: &str| reachable(metadata, name).contains(&"mailstore".to_owned());
    DATALESS
        .iter()
        .filter(|role| linked(role))
        .map(|role| format!("{role}: links mailstore, and holds no mail by design"))
        .collect()
}

fn reachable(metadata: &Metadata, from: &str) -> Vec<String> {
    let mut seen = vec![from.to_owned()];
    let mut next = 0;
    while next < seen.len() {
        if let Some(package) = workspace_package(metadata, &seen[next]) {
            for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
                if !seen.contains(&dependency.name) {
                    seen.push(dependency.name.clone());
                }
            }
        }
        next += 1;
    }
    seen
}

fn excepted(package: &str, dependency: &str) -> bool {
    EXCEPTIONS.iter().any(|(from, to, _)| *from == package && *to == dependency)
}

fn workspace_package<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a Package> {
    metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == name)
}

fn layer(root: &Path, package: &Package) -> Option<usize> {
    let folder = package.manifest_path.as_std_path().strip_prefix(root).ok()?;
    let first = folder.components().next()?.as_os_str().to_str()?.to_owned();
    LAYERS.iter().position(|layer| *layer == first)
}
