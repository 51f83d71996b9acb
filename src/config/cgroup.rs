//! The memory limit of the container around this process.

use std::path::{Path, PathBuf};

/// A limit and the file that says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoryLimit {
    pub bytes: u64,
    pub file: PathBuf,
}

const MIB: u64 = 1 << 20;

impl MemoryLimit {
    /// What values may use: three quarters of the limit, and at least 64 MiB less than all of it.
    /// The rest is for the program, for buffers of clients and for old blocks during a snapshot,
    /// so that the kernel never has to kill the process.
    pub fn share(&self) -> u64 {
        let reserve = (self.bytes / 4).max(64 * MIB);
        // In a container too small for that, half is all that can be promised.
        self.bytes.saturating_sub(reserve).max(self.bytes / 2)
    }
}

/// The smallest limit that holds for this process, if there is one below the machine's memory.
pub fn memory_limit() -> Option<MemoryLimit> {
    limit_under(Path::new("/"))
}

fn limit_under(root: &Path) -> Option<MemoryLimit> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let total = total_memory(root);
    groups
        .lines()
        .filter_map(directory)
        .flat_map(|(base, group, file)| candidates(&root.join(base), group, file))
        .filter_map(|file| {
            let bytes = std::fs::read_to_string(&file).ok()?.trim().parse().ok()?;
            Some(MemoryLimit { bytes, file })
        })
        .filter(|limit| limit.bytes > 0 && total.is_none_or(|total| limit.bytes < total))
        .min_by_key(|limit| limit.bytes)
}

/// A line of /proc/self/cgroup as (mount, path of the group, name of the limit's file):
/// `0::/path` is version 2, `4:memory:/path` version 1.
fn directory(line: &str) -> Option<(&'static str, &str, &'static str)> {
    let mut fields = line.splitn(3, ':');
    let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    if id == "0" && controllers.is_empty() {
        return Some(("sys/fs/cgroup", path, "memory.max"));
    }
    controllers.split(',').any(|controller| controller == "memory").then_some((
        "sys/fs/cgroup/memory",
        path,
        "memory.limit_in_bytes",
    ))
}

/// The limit's file in the group and in every group around it: the tightest one counts. Inside a
/// container the group is usually mounted as the root, which comes last.
fn candidates(base: &Path, group: &str, file: &'static str) -> Vec<PathBuf> {
    let group = Path::new(group.trim_start_matches('/'));
    // `..` appears when the group lies outside of what the container sees.
    let safe = group.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let group = if safe { group } else { Path::new("") };
    group.ancestors().map(|around| base.join(around).join(file)).collect()
}

/// The machine's memory; 0 when the system does not tell.
pub fn system_memory() -> u64 {
    total_memory(Path::new("/")).unwrap_or(0)
}

fn total_memory(root: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system with these files, and the limit found in it.
    fn check(files: &[(&str, &str)], expected: Option<u64>) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        assert_eq!(limit_under(root.path()).map(|limit| limit.bytes), expected);
    }

    #[test]
    fn limits_of_both_versions() {
        check(&[], None);
        let v2 = ("proc/self/cgroup", "0::/\n");
        check(&[v2, ("sys/fs/cgroup/memory.max", "max\n")], None);
        check(&[v2, ("sys/fs/cgroup/memory.max", "536870912\n")], Some(512 * MIB));
        check(
            &[
                ("proc/self/cgroup", "0::/pod/app\n"),
                ("sys/fs/cgroup/pod/memory.max", "1000000\n"),
                ("sys/fs/cgroup/pod/app/memory.max", "2000000\n"),
            ],
            Some(1_000_000),
        );
        check(
            &[
                ("proc/self/cgroup", "5:cpu,memory:/docker/abc\n1:name=systemd:/\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n"),
            ],
            Some(256 * MIB),
        );
        // Version 1 says "no limit" with a number larger than any memory.
        check(
            &[
                ("proc/self/cgroup", "5:memory:/\n"),
                ("proc/meminfo", "MemTotal: 1048576 kB\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ],
            None,
        );
    }

    #[test]
    fn a_share_leaves_room() {
        let share = |bytes| MemoryLimit { bytes, file: PathBuf::new() }.share();
        assert_eq!(share(1024 * MIB), 768 * MIB);
        assert_eq!(share(128 * MIB), 64 * MIB);
        assert_eq!(share(32 * MIB), 16 * MIB);
    }
}
