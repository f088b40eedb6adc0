// SPDX-License-Identifier: Apache-2.0

import ClusterSchema
import EtcdProtocol
import LinuxHost
import Logging
import NetworkModel

/// Keeps this node in the store, and its workloads: a lease, the node's key, theirs; all of them again when the lease is lost.
struct Registrar: Sendable {
    let client: EtcdClient
    let configuration: EtcdConfiguration
    let node: String
    /// Of the node.
    let key: String
    let desk: PublicationDesk
    let board: StatusBoard
    let logger: Logger

    /// Runs until cancelled.
    func run() async {
        var pause = Pause()
        var lease: Int64?
        while !Task.isCancelled {
            do {
                let current: Int64
                if let lease { current = lease } else { current = try await client.grantLease(configuration.leaseTime) }
                lease = current
                try await claim(current)
                pause.reset()
                board.note(registration: nil)
                try await keep(current)
            } catch let error as StoreError {
                if error.kind == .leaseGone { lease = nil }
                guard !Task.isCancelled else { return }
                if ![.leaseGone, .registrationLost].contains(error.kind) { board.note(registration: explain(error)) }
                logger.info("this node registers again", metadata: ["cause": "\(error)"])
            } catch {
                guard !Task.isCancelled else { return }
                board.note(registration: explain(StoreError(.unavailable, GRPCConnection.describe(error))))
            }
            try? await Task.sleep(for: pause.wait())
        }
    }

    private func explain(_ error: StoreError) -> String {
        error.kind == .nameTaken
            ? error.message : "other nodes do not see this node's workloads as they are: \(error.message)"
    }

    /// Makes the node's key this node's own, or throws `nameTaken`.
    private func claim(_ lease: Int64) async throws {
        let there = try await client.get(key)
        var condition = Etcdserverpb_Compare.isAbsent(key)
        if let there {
            let holder = StoredNode.holder(there.value)
            guard holder.instance == configuration.instance else {
                throw StoreError(
                    .nameTaken,
                    "another node is registered as '\(node)' (since \(holder.since)): this one's workloads are not published; "
                        + "give it another name, or end the other")
            }
            condition = .isUnchanged(there)
        }
        let value = record(isComplete: false, desk.addresses)
        guard let revision = try await client.commit(batch(value), lease: lease, if: [condition]) else {
            throw StoreError(.registrationLost, "another node was quicker")
        }
        desk.didRegister(value, revision: revision, lease: lease)
        desk.reopen()
    }

    private func batch(_ value: [UInt8]) -> Publication.Batch { Publication.Batch(puts: [key: value]) }

    private func record(isComplete: Bool, _ addresses: [IPAddress]?) -> [UInt8] {
        StoredNode(
            instance: configuration.instance, agent: configuration.agent, since: Timestamp.now(), complete: isComplete,
            addresses: addresses
        ).bytes
    }

    /// Keeps the lease and the keys, until one of them cannot be kept.
    private func keep(_ lease: Int64) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await keepAlive(lease) }
            group.addTask { try await write(lease) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func keepAlive(_ lease: Int64) async throws {
        while true {
            try await Task.sleep(for: configuration.leaseTime / 3)
            do {
                try await client.keepAlive(lease)
                board.note(registration: nil)
            } catch let error as StoreError where error.kind == .unavailable || error.kind == .token {
                // Nobody knows whether the lease is there: the next answer tells.
                board.note(registration: explain(error))
            }
        }
    }

    private func write(_ lease: Int64) async throws {
        var isComplete = false
        var told: [IPAddress]?
        for await _ in desk.rounds() {
            guard desk.isRegistered(lease: lease) else {
                throw StoreError(.registrationLost, "somebody else wrote or deleted this node's key")
            }
            while let batch = desk.next(lease: lease), !batch.isEmpty {
                let revision = try await commit(batch, lease)
                desk.didWrite(batch, revision: revision, lease: lease)
            }
            let addresses = desk.addresses
            if !isComplete || addresses != told, desk.next(lease: lease)?.isEmpty == true {
                let value = record(isComplete: true, addresses)
                desk.didRegister(value, revision: try await commit(batch(value), lease), lease: lease)
                (isComplete, told) = (true, addresses)
            }
        }
    }

    /// Writes only while the node's key is this node's own: another's workloads are never touched.
    private func commit(_ batch: Publication.Batch, _ lease: Int64) async throws -> Int64 {
        guard let revision = try await client.commit(batch, lease: lease, if: [.has(lease, key)]) else {
            throw StoreError(.registrationLost, "somebody else wrote or deleted this node's key")
        }
        return revision
    }
}
