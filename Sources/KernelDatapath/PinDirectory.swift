// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import CLinuxShim
import Glibc

/// Where the datapath's kernel objects are pinned: `<root>/v<ABI version>/{maps,programs,links,shield,syn}`.
package struct PinDirectory: Hashable, Sendable {
    /// The usual root, on the BPF file system that systemd mounts.
    package static let defaultRoot = "/sys/fs/bpf/bulkhead"

    package let path: String

    package init(root: String = PinDirectory.defaultRoot) { path = "\(root)/v\(BULKHEAD_ABI_VERSION)" }

    private init(path: String) { self.path = path }

    /// The directories that agents of other versions left beside this one.
    func otherVersions() -> [PinDirectory] {
        let root = path.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        return names(in: root).compactMap { name in
            guard name.first == "v", UInt(name.dropFirst()) != nil, "\(root)/\(name)" != path else { return nil }
            return PinDirectory(path: "\(root)/\(name)")
        }
    }

    func map(_ name: String) -> String { "\(path)/maps/\(name)" }

    func program(_ name: String) -> String { "\(path)/programs/\(name)" }

    func link(_ interface: UInt32, _ hook: TrafficHook) -> String { "\(path)/links/\(interface)-\(hook.rawValue)" }

    /// The link on the root of the cgroup hierarchy.
    func link(_ hook: CgroupHook) -> String { "\(path)/links/cgroup-\(hook.rawValue)" }

    private var folders: [String] { ["", "/maps", "/programs", "/links", "/shield", "/syn"].map { path + $0 } }

    /// Makes the folders, mounting the BPF file system at `/sys/fs/bpf` if nobody has.
    func create() throws(DatapathError) {
        let mountPoint = "/sys/fs/bpf"
        if path.hasPrefix(mountPoint + "/"), unsafe bulkhead_is_bpffs(mountPoint) == 0 {
            let result = unsafe bulkhead_mount_bpffs(mountPoint)
            guard result == 0 else {
                throw .directory(
                    path: path, cause: "mounting a BPF file system at \(mountPoint): \(errorText(-result))",
                    remedy: "run as root, or mount it: mount -t bpf bpf \(mountPoint)")
            }
        }
        try makeFolder((path.split(separator: "/").dropLast().map { "/" + $0 }).joined())
        for folder in folders { try makeFolder(folder) }
        guard unsafe bulkhead_is_bpffs(path) == 1 else {
            throw .directory(
                path: path, cause: "it is not on a BPF file system",
                remedy: "choose a directory below \(mountPoint)")
        }
    }

    private func makeFolder(_ folder: String) throws(DatapathError) {
        let result = unsafe mkdir(folder, 0o700)
        let number = errno
        guard result == 0 || number == EEXIST else {
            throw .directory(path: folder, cause: errorText(number), remedy: "run as root")
        }
    }

    /// Takes the directory for this process; the lock goes with the descriptor.
    ///
    /// Nil if there is no directory.
    func lock() throws(DatapathError) -> FileDescriptor? {
        let fd = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        let number = errno
        guard fd >= 0 else {
            guard number != ENOENT else { return nil }
            throw .directory(path: path, cause: errorText(number), remedy: "run as root")
        }
        let descriptor = FileDescriptor(owning: fd)
        guard flock(fd, LOCK_EX | LOCK_NB) == 0 else { throw .inUse(directory: path) }
        return descriptor
    }

    /// The pinned links: interface, hook and path; whatever else lies there is left alone.
    func links() -> [(interface: UInt32, hook: TrafficHook, path: String)] {
        names(in: path + "/links").compactMap { name in
            let parts = name.split(separator: "-")
            guard parts.count == 2, let interface = UInt32(parts[0]), let hook = TrafficHook(rawValue: String(parts[1]))
            else { return nil }
            return (interface, hook, "\(path)/links/\(name)")
        }
    }

    /// Paths of the pinned programs, of whatever build.
    func programs() -> [String] { names(in: path + "/programs").map(program) }

    /// Removes every pin and folder of this version, and the root if nothing else is in it.
    func removeAll() throws(DatapathError) {
        for folder in folders.dropFirst().reversed() {
            for name in names(in: folder) {
                try kernel { () throws(BPFError) in _ = try unpin("\(folder)/\(name)") }
            }
            unsafe rmdir(folder)
        }
        unsafe rmdir(path)
        unsafe rmdir((path.split(separator: "/").dropLast().map { "/" + $0 }).joined())
    }

    fileprivate func names(in folder: String) -> [String] {
        guard let stream = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                unsafe tuple.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// What the prefilter leaves: `<path>/shield/<map>`, and links as `<mode or hook>-<interface>`.
extension PinDirectory {
    func shield(_ name: String) -> String { "\(path)/shield/\(name)" }

    func shieldNames() -> [String] { names(in: path + "/shield") }

    /// A link of the defence of listeners.
    func syn(_ name: String) -> String { "\(path)/syn/\(name)" }

    func synNames() -> [String] { names(in: path + "/syn") }
}
