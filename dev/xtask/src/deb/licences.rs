//! The crates that the program is linked with, and their licences.

use super::output;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// What a package must tell of the crates of others.
pub struct Licences {
    /// A line for each: name, version, licence, and where it comes from.
    pub list: String,
    /// The texts that they bring with them, each once, with the crates that it is from.
    pub texts: String,
}

/// Asks cargo what the program is linked with, and reads the sources that it was built from.
pub fn licences(root: &Path) -> io::Result<Licences> {
    let mut command = MetadataCommand::new();
    let options = ["--locked", "--filter-platform", &host()?].map(str::to_owned).to_vec();
    command.manifest_path(root.join("Cargo.toml")).other_options(options);
    let metadata = command.exec().map_err(io::Error::other)?;
    let linked = linked(&metadata)?;
    let is_foreign = |package: &&Package| linked.contains(&package.id) && package.source.is_some();
    let packages: Vec<&Package> = metadata.packages.iter().filter(is_foreign).collect();
    let mut lines: Vec<String> = packages.iter().map(|package| line(package)).collect();
    lines.sort();
    Ok(Licences { list: lines.concat(), texts: texts(&packages)? })
}

/// The platform that this is built on and for.
fn host() -> io::Result<String> {
    let told = output(Command::new("rustc").arg("-vV"))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| io::Error::other("rustc names no host"))
}

fn texts(packages: &[&Package]) -> io::Result<String> {
    let mut users: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        let folder = package.manifest_path.as_std_path().parent().unwrap_or(Path::new("."));
        for text in folder_texts(folder)? {
            users.entry(text).or_default().insert(package.name.as_str());
        }
    }
    let shown = |(text, crates): (String, BTreeSet<&str>)| {
        let crates: Vec<&str> = crates.into_iter().collect();
        format!("==== {}\n\n{}\n\n", crates.join(", "), text.trim_end())
    };
    Ok(users.into_iter().map(shown).collect())
}

/// The licences and notices of a crate, by the names that such files have.
fn folder_texts(folder: &Path) -> io::Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file()
            && ["LICENSE", "LICENCE", "COPYING", "NOTICE"].iter().any(|word| name.starts_with(word))
        {
            texts.push(String::from_utf8_lossy(&fs::read(&path)?).into_owned());
        }
    }
    Ok(texts)
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
