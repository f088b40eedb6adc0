// SPDX-License-Identifier: Apache-2.0

package import ClusterModel

/// What a node makes of the store: a list first, then what changes; pure, the time is told.
///
/// What cannot be read changes nothing: what was known of that key stays. A node's workloads that go while the node is not
/// there, or is still writing them, stay for a grace: its lease ran out, or it is about to write them again.
package struct StoreView: Sendable {
    /// How much is kept of what strangers may write; what goes beyond is told and left out.
    package struct Limits: Hashable, Sendable {
        package var nodes = 10_000
        package var workloads = 200_000
        package var documents = 50_000
        /// Of all documents together.
        package var documentBytes = 256 << 20

        package init() {}
    }

    /// Of how many keys it is told that they cannot be read.
    private static let problemsMax = 64

    package let layout: StoreLayout
    /// How long workloads stay whose node fell silent.
    package let grace: Duration
    private let limits: Limits
    /// Policies that are known and that the store lost, by name.
    package private(set) var unwritten: [String: StoredDocument] = [:]
    /// The reader's own name and installation.
    private let own: (node: String, instance: String)
    /// The reader's name is another installation's: what is published under it runs elsewhere.
    private var isNameTaken = false
    /// By node.
    package private(set) var nodes: [String: StoredNode] = [:]
    package private(set) var content = ClusterContent()
    /// By name of the document.
    package private(set) var authors: [String: StoredAuthor] = [:]
    /// Workloads that are gone from the store, and until when they stay.
    private var held: [String: Duration] = [:]
    /// By key of the store.
    private var unreadable: [String: String] = [:]
    private var documentBytes = 0

    /// Knows nothing of the store yet, but what is `remembered` of an earlier life.
    ///
    /// `node`, `instance`: the reader's own.
    package init(
        layout: StoreLayout, grace: Duration, limits: Limits = Limits(), node: String = "", instance: String = "",
        remembered: ClusterContent = ClusterContent()
    ) {
        self.layout = layout
        self.grace = grace
        self.limits = limits
        own = (node, instance)
        content = remembered
    }

    /// How workloads of a host that has the reader's name are told: they are none of the reader's own.
    package static func alias(_ node: String) -> String { "\(node) (another host)" }

    /// What is wrong with the store's content, by key.
    package var problems: [String: String] {
        var shown = [String: String](
            uniqueKeysWithValues: unreadable.sorted { $0.key < $1.key }.prefix(StoreView.problemsMax)
                .map { ($0.key, "\($0.key) is left as it was: \($0.value)") })
        if unreadable.count > shown.count {
            shown["other keys"] = "\(unreadable.count - shown.count) more keys of the store cannot be read"
        }
        return shown
    }

    /// All that is in the store.
    ///
    /// `now`: of a clock that does not jump. `keepingDocuments`: the store lost what it had, so that a policy it lacks was not
    /// deleted by anybody.
    package mutating func replace(
        with entries: [StoreEntry], keepingDocuments: Bool = false, now: Duration
    ) -> ClusterChange {
        var old = ClusterContent()
        swap(&old, &content)
        var oldAuthors: [String: StoredAuthor] = [:]
        swap(&oldAuthors, &authors)
        (nodes, unreadable, documentBytes) = ([:], [:], 0)
        var delta = ClusterDelta()
        let keyed = entries.map { (entry: $0, key: layout.key($0.key)) }
        // Nodes first: what their workloads mean depends on them.
        for case (let entry, .node(let node)?) in keyed { _ = put(entry, .node(node), &delta) }
        for (entry, key) in keyed {
            switch key {
            case .node: continue
            case nil: noteUnknown(entry.key)
            case let key?: if !put(entry, key, &delta) { keep(key, of: old, oldAuthors) }
            }
        }
        hold(old.workloads.filter { content.workloads[$0.key] == nil }, now)
        unwritten = [:]
        if keepingDocuments { keepDocuments(of: old, oldAuthors) }
        return .snapshot(content)
    }

    /// What changed in the store, in its order; of one revision all of it.
    package mutating func take(_ events: [StoreEvent], now: Duration) -> ClusterDelta {
        var delta = ClusterDelta()
        let keyed = events.map { (event: $0, key: layout.key($0.key)) }
        // A lease that ran out takes the node and its workloads at once, in no order.
        for (event, key) in keyed {
            guard case .node(let node) = key else { continue }
            if case .put(let entry) = event {
                _ = put(entry, .node(node), &delta)
            } else {
                nodes[node] = nil
                unreadable[event.key] = nil
                let name = StoreView.hostName(node)
                if content.workloads[name] != nil, held[name] == nil { held[name] = now + grace }
            }
        }
        for (event, key) in keyed {
            switch (event, key) {
            case (_, .node): continue
            case (.put(let entry), let key?): _ = put(entry, key, &delta)
            case (.put(let entry), nil): noteUnknown(entry.key)
            case (.delete(let text, _), let key):
                unreadable[text] = nil
                if let key { remove(key, now, &delta) }
            }
        }
        return delta
    }

    /// Lets go of what was kept long enough.
    package mutating func expire(now: Duration) -> ClusterDelta {
        var delta = ClusterDelta()
        for (name, deadline) in held where deadline <= now {
            held[name] = nil
            content.workloads[name] = nil
            delta.workloads[name] = .some(nil)
        }
        return delta
    }

    /// Workloads that stay although they are gone from the store.
    package var heldCount: Int { held.count }

    private static func name(_ node: String, _ name: String) -> String { "\(node)/\(name)" }

    /// False: it cannot be read, and nothing was changed.
    private mutating func put(_ entry: StoreEntry, _ key: StoreKey, _ delta: inout ClusterDelta) -> Bool {
        do throws(StoredValueError) {
            switch key {
            case .node(let node):
                guard nodes[node] != nil || nodes.count < limits.nodes else {
                    throw StoredValueError("there are more than \(limits.nodes) nodes")
                }
                let stored = try StoredNode(reading: entry.value)
                nodes[node] = stored
                if node == own.node { noteHolder(stored.instance, &delta) }
                try put(stored, of: node, &delta)
            case .workload(let node, let name):
                let name = StoreView.name(node, name)
                held[name] = nil
                let workload = try StoredWorkload(reading: entry.value).workload(
                    node: isNameTaken && node == own.node ? StoreView.alias(node) : node)
                guard content.workloads[name] != nil || content.workloads.count < limits.workloads else {
                    throw StoredValueError("there are more than \(limits.workloads) workloads")
                }
                if content.workloads.updateValue(workload, forKey: name) != workload {
                    delta.workloads[name] = workload
                }
            case .document(let name): try put(StoredDocument(reading: entry.value), name, &delta)
            }
            unreadable[entry.key] = nil
            return true
        } catch {
            note(error.reason, about: entry.key)
            return false
        }
    }

    /// The host's own addresses; those that it does not tell yet are what they were.
    private mutating func put(
        _ stored: StoredNode, of node: String, _ delta: inout ClusterDelta
    ) throws(StoredValueError) {
        let name = StoreView.hostName(node)
        let teller = isNameTaken && node == own.node ? StoreView.alias(node) : node
        let host = try stored.host(named: teller).flatMap { $0.addresses.isEmpty ? nil : $0 }
        guard host != nil || stored.addresses != nil || stored.complete else { return }
        held[name] = nil
        guard content.workloads[name] != host else { return }
        content.workloads[name] = host
        delta.workloads[name] = .some(host)
    }

    /// Of a host itself among its workloads, whose names have a namespace.
    private static func hostName(_ node: String) -> String { "\(node)/" }

    /// Whose the reader's name is; what is kept for a grace stays whose it was.
    private mutating func noteHolder(_ instance: String, _ delta: inout ClusterDelta) {
        guard (instance != own.instance) != isNameTaken else { return }
        isNameTaken.toggle()
        let node = isNameTaken ? StoreView.alias(own.node) : own.node
        for (name, workload) in content.workloads where name.hasPrefix("\(own.node)/") && held[name] == nil {
            var renamed = workload
            renamed.node = node
            content.workloads[name] = renamed
            delta.workloads[name] = renamed
        }
    }

    private mutating func put(
        _ document: StoredDocument, _ name: String, _ delta: inout ClusterDelta
    ) throws(StoredValueError) {
        let text = Array(document.text.utf8)
        let bytes = documentBytes + text.count - (content.documents[name]?.count ?? 0)
        guard content.documents[name] != nil || content.documents.count < limits.documents,
            bytes <= limits.documentBytes
        else {
            throw StoredValueError("there are more than \(limits.documents) policies, or they are too long")
        }
        documentBytes = bytes
        unwritten[name] = nil
        authors[name] = StoredAuthor(
            name: StoreView.line(document.appliedBy), at: StoreView.line(document.appliedAt))
        if content.documents.updateValue(text, forKey: name) != text { delta.documents[name] = text }
    }

    private mutating func remove(_ key: StoreKey, _ now: Duration, _ delta: inout ClusterDelta) {
        switch key {
        case .node: break
        case .workload(let node, let name):
            let name = StoreView.name(node, name)
            guard content.workloads[name] != nil, held[name] == nil else { return }
            if nodes[node]?.complete == true {
                content.workloads[name] = nil
                delta.workloads[name] = .some(nil)
            } else {
                held[name] = now + grace
            }
        case .document(let name):
            guard let document = content.documents.removeValue(forKey: name) else { return }
            documentBytes -= document.count
            authors[name] = nil
            delta.documents[name] = .some(nil)
        }
    }

    /// A key that is there and cannot be read is what it was.
    private mutating func keep(_ key: StoreKey, of old: ClusterContent, _ oldAuthors: [String: StoredAuthor]) {
        switch key {
        case .node: break
        case .workload(let node, let name):
            let name = StoreView.name(node, name)
            if let workload = old.workloads[name] { content.workloads[name] = workload }
        case .document(let name):
            guard let document = old.documents[name] else { return }
            content.documents[name] = document
            authors[name] = oldAuthors[name]
            documentBytes += document.count
        }
    }

    /// What a stranger wrote to be shown to people, on one line.
    private static func line(_ text: String) -> String { String(text.prefix(200).map { $0.isNewline ? " " : $0 }) }

    private mutating func keepDocuments(of old: ClusterContent, _ authors: [String: StoredAuthor]) {
        for (name, text) in old.documents where content.documents[name] == nil {
            content.documents[name] = text
            documentBytes += text.count
            self.authors[name] = authors[name]
            unwritten[name] = StoredDocument(
                text: String(decoding: text, as: UTF8.self), appliedBy: authors[name]?.name ?? "unknown",
                appliedAt: authors[name]?.at ?? "unknown")
        }
    }

    /// Workloads that a list does not have any more.
    private mutating func hold(_ missing: [String: ClusterWorkload], _ now: Duration) {
        var still: [String: Duration] = [:]
        for (name, workload) in missing {
            if let deadline = held[name] {
                still[name] = deadline
            } else if nodes[workload.node == StoreView.alias(own.node) ? own.node : workload.node]?.complete != true {
                still[name] = now + grace
            } else {
                continue
            }
            content.workloads[name] = workload
        }
        held = still
    }

    private mutating func noteUnknown(_ key: String) {
        if key != layout.nameKey { note("its name is none of this layout", about: key) }
    }

    private mutating func note(_ reason: String, about key: String) {
        // A stranger decides how many there are.
        guard unreadable[key] != nil || unreadable.count < 10_000 else { return }
        unreadable[key] = reason
    }
}
