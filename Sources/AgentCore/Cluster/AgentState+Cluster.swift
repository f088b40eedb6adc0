// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import LinuxHost
import Logging
import PolicyModel

/// A cluster's policies and workloads come in like those of files: what changes comes into force together.
extension AgentState {
    /// Belongs to a cluster from now on, as it was last known, in the first commit.
    ///
    /// Before the agent adopts.
    func join(_ feed: String, _ memory: ClusterMemory) -> RememberedCluster {
        var remembered: ClusterMemory.Content?
        do throws(AgentError) {
            remembered = try memory.read()
        } catch {
            report("cluster memory", "\(error)")
        }
        join(feed, remembered: remembered)
        return RememberedCluster(remembered.flatMap { $0.feed == feed ? $0.content : nil } ?? ClusterContent())
    }

    /// Belongs to a cluster from now on; what was remembered of it is part of the first commit.
    func join(_ feed: String, remembered: ClusterMemory.Content?) {
        cluster = ClusterView(feed: feed, reader: reader)
        guard let remembered, remembered.feed == feed else { return }
        cluster?.currentAt = remembered.currentAt
        take(cluster: remembered.content)
        logger.notice(
            "the cluster as it was last known is in force until it answers",
            metadata: ["cluster": "\(feed)", "known": "\(Timestamp.text(seconds: remembered.currentAt))"])
    }

    /// What a feed said since the last call comes into force together.
    func update(cluster letters: ClusterMailbox.Letters) {
        guard cluster != nil else { return }
        if let status = letters.status { note(cluster: status) }
        if let content = letters.snapshot {
            take(cluster: content)
            cluster?.hasSnapshot = true
            noteLooseHeap()
        }
        take(cluster: letters.delta)
        noteClusterIsCurrent()
        if letters.snapshot != nil || !letters.delta.isEmpty { reconcile() }
    }

    /// What is known is current for as long as the feed hears the cluster.
    func noteClusterIsCurrent() {
        guard let view = cluster, view.status.isConnected, view.hasSnapshot else { return }
        cluster?.currentAt = Timestamp.secondsNow()
    }

    /// The cluster's workloads on other nodes, as they are to be in force.
    var knownRemotes: [KnownRemote] {
        guard let prefix = cluster?.keyPrefix else { return [] }
        let inForce = engine.remotes(keysWith: prefix)
        let known = inForce.filter { unsettled.remotes.isEmpty || !unsettled.remotes.names($0.key) }
        let later = unsettled.remotes.settings.filter { $0.key.hasPrefix(prefix) }.map { (key: $0, workload: $1) }
        return (known + later).map { KnownRemote(prefix: prefix, key: $0.key, workload: $0.workload) }
    }

    private func take(cluster content: ClusterContent) {
        guard let names = cluster?.documents.names.map(\.self), let prefix = cluster?.keyPrefix else { return }
        take(documents: Set(content.documents.keys).union(names)) { content.documents[$0] }
        let nodes = cluster?.nodeKeys ?? []
        cluster?.note(documents: nodes.union(content.documents.keys)) { content.documents[$0] != nil }
        let marked = cluster?.marks.keys.map(\.self) ?? []
        for key in Set(marked).union(content.marks.keys) { cluster?.marks.set(key, content.marks[key]) }
        var remotes: [String: RemoteWorkload] = [:]
        var hosts: [String: ClusterWorkload] = [:]
        for (key, workload) in content.workloads where workload.node != node {
            if workload.isHost { hosts[key] = workload } else { remotes[prefix + key] = RemoteWorkload(workload) }
        }
        noteUnsettled(remotes: remotes, keysWith: prefix)
        cluster?.hosts.known = hosts
        settleFleetHosts()
    }

    private func take(cluster delta: ClusterDelta) {
        guard let prefix = cluster?.keyPrefix else { return }
        if !delta.documents.isEmpty {
            take(documents: Set(delta.documents.keys)) { delta.documents[$0].flatMap(\.self) }
            cluster?.note(documents: delta.documents.keys) { delta.documents[$0].flatMap(\.self) != nil }
            for (key, document) in delta.documents { cluster?.marks.set(key, document == nil ? nil : delta.marks[key]) }
        }
        // One that came to this node is reported by the node's own sources.
        var areHostsTouched = false
        for (key, workload) in delta.workloads {
            if workload?.isHost == true || cluster?.hosts.known[key] != nil {
                cluster?.hosts.known[key] = workload.flatMap { $0.node == node ? nil : $0 }
                areHostsTouched = true
                continue
            }
            unsettled.remotes[prefix + key] = workload.flatMap { $0.node == node ? nil : RemoteWorkload($0) }
        }
        if areHostsTouched { settleFleetHosts() }
    }

    /// In place: nothing else may hold the documents meanwhile, or all of them would be copied.
    private func take(documents names: Set<String>, find: (String) -> [UInt8]?) {
        guard let feed = cluster?.feed else { return }
        let touched = cluster?.documents.update(
            names, file: { "\(feed):\($0)" }, find: { find($0).map { .text($0) } ?? .gone })
        logFileProblems()
        noteTimes(touched ?? [])
        unsettled.policies.formUnion(touched ?? [])
    }

    private func note(cluster status: ClusterFeedStatus) {
        guard let view = cluster, view.status != status else { return }
        if view.status.isConnected != status.isConnected || view.status.message != status.message {
            logger.notice(
                "\(status.message)", metadata: ["cluster": "\(view.feed)", "connected": "\(status.isConnected)"])
        }
        for (subject, message) in status.problems where view.status.problems[subject] != message {
            logger.warning("\(message)", metadata: ["cluster": "\(view.feed)", "subject": "\(subject)"])
        }
        cluster?.status = status
    }
}

/// A workload of another node, on its way to disk.
struct KnownRemote: Sendable {
    let prefix: String
    let key: String
    let workload: RemoteWorkload

    var entry: ClusterMemory.Entry {
        ClusterMemory.Entry(
            key: key[key.utf8.index(key.startIndex, offsetBy: prefix.utf8.count)...], labels: workload.labels,
            addresses: workload.addresses, namedPorts: workload.namedPorts)
    }
}
