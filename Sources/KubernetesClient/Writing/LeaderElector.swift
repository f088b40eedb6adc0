// SPDX-License-Identifier: Apache-2.0

/// Takes part in the election of one of many.
package struct LeaderElector: Sendable {
    private let client: KubernetesClient
    private let key: ObjectKey
    private let identity: String
    private let settings: Election.Settings

    /// - Parameters:
    ///   - key: of the Lease, which is created where there is none.
    ///   - identity: unlike all others'; a pod's name.
    package init(
        _ client: KubernetesClient, lease key: ObjectKey, identity: String,
        settings: Election.Settings = Election.Settings()
    ) {
        self.client = client
        self.key = key
        self.identity = identity
        self.settings = settings
    }

    /// Takes part until cancelled, and runs `lead` whenever this one leads: once at a time, cancelled when it leads no more.
    ///
    /// `lead` must stop soon once cancelled: others lead after `leaseSeconds`. Resigns at the end.
    /// - Parameter report: what is wrong, for people; nil once all is well.
    package func run(
        report: @escaping @Sendable (String?) -> Void = { _ in }, lead: @escaping @Sendable () async -> Void
    ) async {
        var election = Election(identity: identity, settings: settings)
        var leading: Task<Void, Never>?
        var problem: String?
        while !Task.isCancelled {
            let failure = await takePart(&election)
            if failure != problem { report(failure) }
            problem = failure
            if election.leads(at: .now) {
                leading = leading ?? Task { await lead() }
            } else if let old = leading {
                old.cancel()
                await old.value
                leading = nil
            }
            try? await Task.sleep(until: nextLook(election), tolerance: .milliseconds(20), clock: .continuous)
        }
        leading?.cancel()
        await leading?.value
        await resign(election)
    }

    /// Not all at the same moment, and no later than leading ends.
    private func nextLook(_ election: Election) -> ContinuousClock.Instant {
        let now = ContinuousClock.now
        let next = now + settings.interval * Double.random(in: 0.8...1.2)
        return election.leadsUntil(seenFrom: now).map { min($0, next) } ?? next
    }

    /// One look at the lease, and a write if that is due; what went wrong, for people.
    private func takePart(_ election: inout Election) async -> String? {
        let begun = ContinuousClock.now
        // An answer that comes when leading has ended is none.
        let deadline = election.leadsUntil(seenFrom: begun) ?? begun + settings.renewWithin
        do throws(KubernetesError) {
            let lease = try await answer(by: deadline) { [client, key] () async throws(KubernetesError) in
                try await client.leaseOrNil(key)
            }
            guard case .write(let next) = election.read(lease, at: .now, time: time) else { return nil }
            let written = try await answer(by: deadline) { [client, key] () async throws(KubernetesError) in
                try await client.write(next, key)
            }
            election.wrote(written, begun: begun)
            return nil
        } catch {
            guard error.kind != .conflict else {
                election.lost()
                return nil
            }
            return "leader election over lease \(key): \(error.message); whoever leads goes on until its lease ends"
        }
    }

    private func resign(_ election: Election) async {
        var election = election
        guard let lease = election.resign(time: time) else { return }
        // Cancelled by now, but others should not have to wait for that.
        let (client, key) = (client, key)
        await Task { _ = try? await client.write(lease, key) }.value
    }

    private var time: String { RFC3339.text(microseconds: WallClock.microseconds()) }

    /// Gives up after a while, so that a server that does not answer is noticed before the lease has ended.
    private func answer<Result: Sendable>(
        by deadline: ContinuousClock.Instant, _ work: @escaping @Sendable () async throws(KubernetesError) -> Result
    ) async throws(KubernetesError) -> Result {
        do {
            return try await withThrowingTaskGroup(of: Result.self) { group in
                group.addTask { try await work() }
                group.addTask {
                    try await Task.sleep(until: deadline, clock: .continuous)
                    throw KubernetesError(.unreachable, "no answer in time")
                }
                defer { group.cancelAll() }
                guard let result = try await group.next() else {
                    throw KubernetesError(.unreachable, "no answer")
                }
                return result
            }
        } catch let error as KubernetesError {
            throw error
        } catch {
            throw KubernetesError(.unreachable, "cancelled")
        }
    }
}

extension KubernetesClient {
    fileprivate func leaseOrNil(_ key: ObjectKey) async throws(KubernetesError) -> Lease? {
        do throws(KubernetesError) {
            return Lease(try await get(.leases, key))
        } catch {
            guard error.kind == .notFound else { throw error }
            return nil
        }
    }

    fileprivate func write(_ lease: Lease, _ key: ObjectKey) async throws(KubernetesError) -> Lease {
        lease.resourceVersion.isEmpty
            ? Lease(try await create(.leases, namespace: key.namespace, lease.object(key)))
            : Lease(try await replace(.leases, key, lease.object(key)))
    }
}
