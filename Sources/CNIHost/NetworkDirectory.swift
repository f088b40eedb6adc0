// SPDX-License-Identifier: Apache-2.0

package import CNIPlugin
import Glibc
package import LinuxHost

/// The directory in which runtimes look for networks, `/etc/cni/net.d` mostly.
package struct NetworkDirectory: Sendable {
    package static let defaultPath = "/etc/cni/net.d"

    /// One file of it.
    package struct Network: Sendable {
        package let path: String
        /// Why it cannot be read as a network, or the network.
        package let content: Result<NetworkList, NetworkListError>

        package var list: NetworkList? { try? content.get() }
        package var isList: Bool { path.hasSuffix(".conflist") }
    }

    /// Why a network was not changed.
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String

        init(_ description: String) { self.description = description }
    }

    /// A single plugin's file is kept under this ending while a list stands for it.
    private static let keptSuffix = ".before-bulkhead"
    /// As long as `.json`.
    private static let singleEnding = ".conf"
    private static let bytesMax = 1 << 20
    /// Somebody else may write at the same time.
    private static let attemptsMax = 5

    package let path: String

    package init(path: String) { self.path = path }

    /// All files that runtimes would look at, in their order.
    package func networks() throws(HostError) -> [Network] {
        let names = try directoryEntries(path).filter { name in
            [".conflist", ".conf", ".json"].contains { name.hasSuffix($0) } && !name.hasPrefix(".")
        }
        return names.sorted().map { read("\(path)/\($0)") }
    }

    private func read(_ file: String) -> Network {
        let isList = file.hasSuffix(".conflist")
        do throws(HostError) {
            let bytes = try readRegularFile(file, bytesMax: Self.bytesMax)
            return Network(
                path: file,
                content: Result { () throws(NetworkListError) in try NetworkList(json: bytes, isList: isList) })
        } catch {
            return Network(path: file, content: .failure(NetworkListError("\(error)")))
        }
    }

    /// Puts our entry into a network's list, or brings it to these settings.
    ///
    /// False: it was so already.
    @discardableResult
    package func install(_ settings: PluginSettings, in network: Network) throws(Failure) -> Bool {
        try edit(network) { (list) throws(NetworkListError) in try list.installing(settings) }
    }

    /// Takes our entry out; a file that held a single plugin comes back as it was.
    @discardableResult
    package func uninstall(from network: Network) throws(Failure) -> Bool {
        guard network.list?.settings != nil else { return false }
        if let kept = keptFile(of: network), let single = read(kept, isList: false),
            let list = network.list, (try? list.uninstalling()) == single.asList
        {
            let original = String(kept.dropLast(Self.keptSuffix.count))
            guard unsafe rename(kept, original) == 0, unsafe unlink(network.path) == 0 else {
                throw Failure("cannot bring back \(original): \(errnoText(errno))")
            }
            AtomicFile.syncDirectory(of: original)
            return true
        }
        return try edit(network) { (list) throws(NetworkListError) in try list.uninstalling() }
    }

    private func read(_ file: String, isList: Bool) -> NetworkList? {
        (try? readRegularFile(file, bytesMax: Self.bytesMax)).flatMap { try? NetworkList(json: $0, isList: isList) }
    }

    private func keptFile(of network: Network) -> String? {
        guard network.isList else { return nil }
        let stem = network.path.dropLast(".conflist".count)
        return ["\(stem).conf", "\(stem).json"].map { $0 + Self.keptSuffix }.first { unsafe access($0, F_OK) == 0 }
    }

    private func edit(
        _ network: Network, _ change: (NetworkList) throws(NetworkListError) -> NetworkList
    ) throws(Failure) -> Bool {
        do {
            for _ in 0..<Self.attemptsMax {
                let before = try readRegularFile(network.path, bytesMax: Self.bytesMax)
                let list = try NetworkList(json: before, isList: network.isList)
                let changed = try change(list)
                guard changed != list else { return false }
                if try replace(network, before, changed) { return true }
            }
        } catch let error as HostError {
            throw Failure("\(error)")
        } catch {
            throw Failure("\(network.path) is left alone: \(error)")
        }
        throw Failure("\(network.path) is left alone: somebody else writes it all the time")
    }

    /// False: the file is not any more what was changed.
    private func replace(_ network: Network, _ before: [UInt8], _ list: NetworkList) throws(HostError) -> Bool {
        // The file itself, not a link to it, is replaced.
        let source = try Self.resolved(network.path)
        let target = network.isList ? source : String(source.dropLast(Self.singleEnding.count)) + ".conflist"
        if !network.isList, unsafe access(target, F_OK) == 0 {
            throw HostError("write \(target)", code: EEXIST, remedy: "it stands beside \(source): remove one of them")
        }
        var status = stat()
        guard unsafe stat(source, &status) == 0 else { throw HostError.last("look at \(source)") }
        try AtomicFile.stage(list.bytes, for: target)
        let staged = target + AtomicFile.stagedSuffix
        guard unsafe chmod(staged, status.st_mode & 0o7777) == 0,
            unsafe chown(staged, status.st_uid, status.st_gid) == 0 || geteuid() != 0
        else {
            let error = HostError.last("keep mode and owner of \(source)")
            AtomicFile.discard(target)
            throw error
        }
        guard try readRegularFile(source, bytesMax: Self.bytesMax) == before else {
            AtomicFile.discard(target)
            return false
        }
        try AtomicFile.publish(target)
        // Between the two the single plugin goes first, as before.
        if !network.isList, unsafe rename(source, source + Self.keptSuffix) != 0 {
            throw HostError.last("keep \(source) aside")
        }
        return true
    }

    private static func resolved(_ path: String) throws(HostError) -> String {
        guard let real = unsafe realpath(path, nil) else { throw HostError.last("look at \(path)") }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }
}
