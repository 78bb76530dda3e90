//! The crates that the program is linked with, and their licences.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// A line for each crate of others: name, version, licence, and where it comes from.
pub fn dependencies(root: &Path) -> io::Result<String> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root.join("Cargo.toml")).other_options(vec!["--locked".to_owned()]);
    let metadata = command.exec().map_err(io::Error::other)?;
    let linked = linked(&metadata)?;
    let is_foreign = |package: &&Package| linked.contains(&package.id) && package.source.is_some();
    let mut lines: Vec<String> = metadata.packages.iter().filter(is_foreign).map(line).collect();
    lines.sort();
    Ok(lines.concat())
}

fn line(package: &Package) -> String {
    let licence = package.license.as_deref().unwrap_or("see its source");
    let source = package.repository.as_deref().unwrap_or("crates.io");
    format!("{} {}: {licence}, {source}\n", package.name, package.version)
}

/// Everything that the program depends on, directly or not, other than for tests and build scripts.
fn linked(metadata: &Metadata) -> io::Result<BTreeSet<PackageId>> {
    let resolve = metadata.resolve.as_ref().ok_or_else(|| io::Error::other("cargo resolved nothing"))?;
    let nodes: BTreeMap<&PackageId, &Node> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let program = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == "tartan");
    let mut waiting: Vec<&PackageId> = program.map(|package| &package.id).into_iter().collect();
    let mut linked = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if linked.insert(id.clone()) {
            waiting.extend(nodes.get(id).into_iter().flat_map(|node| normal(node)));
        }
    }
    Ok(linked)
}

fn normal(node: &Node) -> impl Iterator<Item = &PackageId> {
    let is_normal = |kind: &cargo_metadata::DepKindInfo| kind.kind == DependencyKind::Normal;
    node.deps.iter().filter(move |dep| dep.dep_kinds.iter().any(is_normal)).map(|dep| &dep.pkg)
}
