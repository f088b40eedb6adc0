// SPDX-License-Identifier: Apache-2.0

import EtcdProtocol

/// Leases: keys under one go when it is not kept alive.
extension EtcdClient {
    func grantLease(_ time: Duration) async throws -> Int64 {
        var request = Etcdserverpb_LeaseGrantRequest()
        request.ttl = max(1, time.components.seconds)
        let answer: Etcdserverpb_LeaseGrantResponse = try await ask("Lease/LeaseGrant", request)
        guard answer.error.isEmpty, answer.id != 0 else {
            throw StoreError(.refused, "the store grants no lease: \(answer.error)")
        }
        return answer.id
    }

    /// Throws `leaseGone` if it is.
    func keepAlive(_ lease: Int64) async throws {
        var request = Etcdserverpb_LeaseKeepAliveRequest()
        request.id = lease
        let answer: Etcdserverpb_LeaseKeepAliveResponse = try await ask("Lease/LeaseKeepAlive", request)
        guard answer.ttl > 0 else { throw StoreError(.leaseGone, "this node's lease ran out") }
    }

    /// Ends a lease, and all keys under it.
    func revoke(_ lease: Int64) async throws {
        var request = Etcdserverpb_LeaseRevokeRequest()
        request.id = lease
        _ = try await ask("Lease/LeaseRevoke", request, as: Etcdserverpb_LeaseRevokeResponse.self)
    }
}
