//! `cargo xtask deb`: a Debian package by `dpkg-deb`, out of a binary and the folder `packaging/`.
//!
//! What lies where in the package stands in [`files`]; the rest is what Debian's policy wants beside it. It needs dpkg-dev
//! and binutils, and neither root nor the network.

mod licences;
mod tree;

use clap::Args;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use tree::Tree;

/// Of what, and where to.
#[derive(Args)]
pub struct DebArgs {
    /// The program
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// The package's version [default: that of the workspace]
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    version: String,
    /// The folder that the package is written to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Compress little, for tests
    #[arg(long)]
    fast: bool,
}

/// Copied as they are: from the repository, to the package.
const FILES: [(&str, &str); 7] = [
    ("packaging/tartan.service", "usr/lib/systemd/system/tartan.service"),
    ("packaging/tartan.socket", "usr/lib/systemd/system/tartan.socket"),
    ("packaging/tartan.sysusers", "usr/lib/sysusers.d/tartan.conf"),
    ("packaging/tartan.tmpfiles", "usr/lib/tmpfiles.d/tartan.conf"),
    ("packaging/tartan.toml", "etc/tartan/tartan.toml"),
    ("packaging/deb/copyright", "usr/share/doc/tartan/copyright"),
    ("README.md", "usr/share/doc/tartan/README.md"),
];

/// What dpkg runs and knows.
const CONTROL: [(&str, u32); 4] =
    [("conffiles", 0o644), ("postinst", 0o755), ("prerm", 0o755), ("postrm", 0o755)];

/// Builds the package; its path.
///
/// # Errors
/// Names the file or the program that is missing or fails.
pub fn build(root: &Path, args: &DebArgs) -> io::Result<PathBuf> {
    fs::create_dir_all(&args.out)?;
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let name = format!("tartan_{}_{}", args.version, architecture.trim());
    let tree = Tree::new(args.out.join(&name))?;
    program(&tree, &args.binary)?;
    manual(&tree, &args.binary)?;
    files(root, &tree)?;
    documentation(root, &tree, &args.version)?;
    control(root, &tree, &args.version, architecture.trim())?;
    let package = args.out.join(format!("{name}.deb"));
    pack(&tree, &package, args.fast)?;
    tree.remove()?;
    Ok(package)
}

/// Without symbols, as Debian has programs.
fn program(tree: &Tree, binary: &Path) -> io::Result<()> {
    let to = tree.place("usr/bin/tartan")?;
    run(Command::new("strip").arg("-o").arg(&to).arg(binary))?;
    tree.mode("usr/bin/tartan", 0o755)
}

fn files(root: &Path, tree: &Tree) -> io::Result<()> {
    for (from, to) in FILES {
        tree.copy(&root.join(from), to, 0o644)?;
    }
    let mut guides: Vec<PathBuf> =
        fs::read_dir(root.join("docs"))?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    guides.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    for guide in &guides {
        let name = guide.file_name().unwrap_or_default().to_string_lossy();
        tree.copy(guide, &format!("usr/share/doc/tartan/docs/{name}"), 0o644)?;
    }
    Ok(())
}

/// A page for each command, as the program itself writes them.
fn manual(tree: &Tree, binary: &Path) -> io::Result<()> {
    let pages = Tree::new(tree.root().with_extension("manual"))?;
    run(Command::new(binary).arg("manual").arg(pages.root()))?;
    for page in fs::read_dir(pages.root())? {
        let page = page?;
        let name = page.file_name().to_string_lossy().into_owned();
        tree.compressed(&format!("usr/share/man/man1/{name}.gz"), &fs::read_to_string(page.path())?)?;
    }
    pages.remove()
}

fn documentation(root: &Path, tree: &Tree, version: &str) -> io::Result<()> {
    tree.compressed("usr/share/doc/tartan/changelog.gz", &changelog(root, version)?)?;
    let licences = licences::licences(root)?;
    tree.compressed("usr/share/doc/tartan/dependencies.gz", &licences.list)?;
    tree.compressed("usr/share/doc/tartan/licences.gz", &licences.texts)
}

/// What has changed is told by the repository's history; here stands which commit this is.
fn changelog(root: &Path, version: &str) -> io::Result<String> {
    let log = |format: &str| output(Command::new("git").arg("-C").arg(root).args(["log", "-1", format]));
    let (date, commit) = (log("--format=%aD")?, log("--format=%H")?);
    Ok(format!(
        "tartan ({version}) unstable; urgency=medium\n\n  * Built from commit {}.\n\n -- {}  {}\n",
        commit.trim(),
        MAINTAINER,
        date.trim()
    ))
}

const MAINTAINER: &str = "Tartan maintainers <maintainers@tartan.invalid>";

fn control(root: &Path, tree: &Tree, version: &str, architecture: &str) -> io::Result<()> {
    let from = root.join("packaging/deb");
    for (name, mode) in CONTROL {
        tree.copy(&from.join(name), &format!("DEBIAN/{name}"), mode)?;
    }
    let control = fs::read_to_string(from.join("control"))?
        .replace("{version}", version)
        .replace("{architecture}", architecture)
        .replace("{maintainer}", MAINTAINER)
        .replace("{size}", &tree.kibibytes()?.to_string())
        .replace("{depends}", &libraries(tree)?);
    tree.write("DEBIAN/control", control.as_bytes(), 0o644)?;
    tree.write("DEBIAN/md5sums", tree.checksums()?.as_bytes(), 0o644)
}

/// The packages of the libraries that the program is linked with, by `dpkg-shlibdeps`, which wants to find a source package.
fn libraries(tree: &Tree) -> io::Result<String> {
    let source = Tree::new(tree.root().with_extension("source"))?;
    source.write("debian/control", b"Source: tartan\n\nPackage: tartan\nArchitecture: any\n", 0o644)?;
    let program = fs::canonicalize(tree.root().join("usr/bin/tartan"))?;
    let found = output(Command::new("dpkg-shlibdeps").arg("-O").arg(program).current_dir(source.root()))?;
    source.remove()?;
    let found = found.trim().strip_prefix("shlibs:Depends=").map(str::to_owned);
    found.ok_or_else(|| io::Error::other("dpkg-shlibdeps found no library"))
}

fn pack(tree: &Tree, package: &Path, fast: bool) -> io::Result<()> {
    let compression = if fast { ["-Zgzip", "-z1"] } else { ["-Zxz", "-z6"] };
    let mut command = Command::new("dpkg-deb");
    command.args(compression).args(["--root-owner-group", "--build"]).arg(tree.root()).arg(package);
    output(&mut command).map(drop)
}

/// Runs a program to its end.
fn run(command: &mut Command) -> io::Result<()> {
    output(command).map(drop)
}

/// What a program prints; an error where it cannot be started or fails.
fn output(command: &mut Command) -> io::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| io::Error::other(format!("{name}: {error}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Err(io::Error::other(format!("{name}: {}\n{}", output.status, text(&output.stderr))));
    }
    Ok(text(&output.stdout))
}
