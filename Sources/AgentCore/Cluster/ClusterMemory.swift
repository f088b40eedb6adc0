// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ControlAPI
import IdentityModel
import LinuxHost
import NetworkModel
import Synchronization

/// What a node last knew of its cluster, on disk: an agent that starts while nobody answers goes on from there.
///
/// Lines of text; documents by length. Label sets stand once, workloads refer to them by number.
///
///     bulkhead-cluster 1 <feed> <seconds since 1970>
///     labels <JSON list of [source, key, value]>
///     workload <key> <node> <number of the labels> <addresses, comma> <proto/name/port, comma>     parted by tabs
///     document <bytes> <key>
///     <the bytes>
///     end
struct ClusterMemory: Sendable {
    struct Content: Sendable {
        var feed: String
        /// When it was last known to be current, in seconds since 1970.
        var currentAt: Int64
        var content: ClusterContent
    }

    /// A file is refused beyond this, before it is read.
    private static let bytesMax = 1 << 30
    private static let heading = "bulkhead-cluster 1 "

    let path: String

    /// What was written; nil: nothing.
    ///
    /// Throws if it cannot be read, and leaves it where it is.
    func read() throws(AgentError) -> Content? {
        let bytes: [UInt8]
        do throws(HostError) {
            bytes = try readRegularFile(path, bytesMax: ClusterMemory.bytesMax)
        } catch {
            if error.code == 2 { return nil }
            throw AgentError("\(error)")
        }
        var reading = Reading(bytes)
        guard let content = reading.content() else {
            throw AgentError(
                "\(path) is not what an agent wrote (line \(reading.line)): nothing of the cluster is known until it "
                    + "answers; move the file away")
        }
        return content
    }

    func write(_ memory: Content) throws(AgentError) {
        let workloads = memory.content.workloads.lazy.map { key, workload in
            Entry(
                key: key[...], node: workload.node, labels: workload.labels, addresses: workload.addresses,
                namedPorts: workload.namedPorts)
        }
        try write(
            feed: memory.feed, currentAt: memory.currentAt, documents: memory.content.documents, workloads: workloads)
    }

    /// A workload, as a line says it.
    struct Entry {
        var key: Substring
        /// Empty: another one than this.
        var node = ""
        var labels: LabelSet
        var addresses: [IPAddress]
        var namedPorts: NamedPorts
    }

    /// In parts: of a large cluster it is tens of megabytes.
    func write(
        feed: String, currentAt: Int64, documents: [String: [UInt8]], workloads: some Sequence<Entry>
    ) throws(AgentError) {
        do throws(HostError) {
            try AtomicFile.write(to: path) { put throws(HostError) in
                var text = ClusterMemoryText("\(Self.heading)\(feed) \(currentAt)\n")
                for entry in workloads {
                    text.add(entry)
                    if text.isLong { try put(text.take()) }
                }
                for (key, document) in documents {
                    text.add(document: document, key)
                    if text.isLong { try put(text.take()) }
                }
                text.end()
                try put(text.take())
            }
        } catch {
            throw AgentError("\(error)")
        }
    }
}

/// What was remembered, for the first who asks: nobody holds it longer than that.
final class RememberedCluster: Sendable {
    private let content: Mutex<ClusterContent>

    init(_ content: ClusterContent = ClusterContent()) { self.content = Mutex(content) }

    func take() -> ClusterContent {
        content.withLock { content in
            defer { content = ClusterContent() }
            return content
        }
    }
}

/// Reads what `ClusterMemoryText` wrote.
private struct Reading {
    private let bytes: [UInt8]
    private var place = 0
    /// From 1.
    private(set) var line = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Nil: it is something else, or not all of it.
    mutating func content() -> ClusterMemory.Content? {
        let head = nextLine().split(separator: " ")
        guard head.count == 4, head[0] == "bulkhead-cluster", head[1] == "1", let time = Int64(head[3]) else {
            return nil
        }
        var content = ClusterContent()
        var labels: [LabelSet] = []
        while true {
            let text = nextLine()
            let parts = text.split(separator: " ", maxSplits: 1)
            switch (parts.first, parts.count) {
            case ("labels", 2):
                guard let set = labelSet(parts[1]) else { return nil }
                labels.append(set)
            case ("workload", 2):
                guard let (key, workload) = workload(parts[1], labels) else { return nil }
                content.workloads[key] = workload
            case ("document", 2):
                guard let (key, document) = document(parts[1]) else { return nil }
                content.documents[key] = document
            case ("end", 1): return ClusterMemory.Content(feed: String(head[2]), currentAt: time, content: content)
            default: return nil
            }
        }
    }

    private mutating func nextLine() -> String {
        line += 1
        let end = bytes[place...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        defer { place = min(end + 1, bytes.count) }
        return String(decoding: bytes[place..<end], as: UTF8.self)
    }

    private func labelSet(_ text: Substring) -> LabelSet? {
        guard let list = try? APICoding.decode([[String]].self, from: Array(text.utf8)),
            list.allSatisfy({ $0.count == 3 })
        else { return nil }
        return LabelSet(list.map { Label(source: $0[0], key: $0[1], value: $0[2]) })
    }

    private func workload(_ text: Substring, _ labels: [LabelSet]) -> (String, ClusterWorkload)? {
        let fields = text.split(separator: "\t", omittingEmptySubsequences: false)
        guard fields.count == 5, let number = Int(fields[2]), labels.indices.contains(number) else { return nil }
        var addresses: [IPAddress] = []
        for part in fields[3].split(separator: ",") {
            guard let address = IPAddress(String(part)) else { return nil }
            addresses.append(address)
        }
        var ports: [NamedPort: Set<UInt16>] = [:]
        for part in fields[4].split(separator: ",") {
            let words = part.split(separator: "/")
            guard words.count == 3, let proto = UInt8(words[0]), let port = UInt16(words[2]) else { return nil }
            ports[NamedPort(proto: IPProtocol(rawValue: proto), name: String(words[1])), default: []].insert(port)
        }
        let workload = ClusterWorkload(
            node: String(fields[1]), labels: labels[number], addresses: addresses, namedPorts: NamedPorts(ports))
        return (String(fields[0]), workload)
    }

    private mutating func document(_ text: Substring) -> (String, [UInt8])? {
        let parts = text.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let count = Int(parts[0]), count >= 0, count < bytes.count - place else { return nil }
        let document = Array(bytes[place..<place + count])
        guard bytes[place + count] == UInt8(ascii: "\n") else { return nil }
        line += document.count { $0 == UInt8(ascii: "\n") } + 1
        place += count + 1
        return (String(parts[1]), document)
    }
}
