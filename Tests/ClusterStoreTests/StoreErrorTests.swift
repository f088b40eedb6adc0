// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ClusterStore

@Suite struct StoreErrorTests {
    @Test(arguments: [
        (14, "etcdserver: no leader", StoreError.Kind.unavailable),
        (16, "etcdserver: invalid auth token", .token),
        (3, "etcdserver: authentication failed, invalid user ID or password", .authentication),
        (3, "etcdserver: user name is empty", .authentication),
        (7, "etcdserver: permission denied", .permission),
        (11, "etcdserver: mvcc: required revision has been compacted", .compacted),
        (8, "etcdserver: mvcc: database space exceeded", .full),
        (8, "etcdserver: too many requests", .unavailable),
        (5, "etcdserver: requested lease not found", .leaseGone),
        (3, "etcdserver: request is too large", .refused),
        (99, "?", .refused),
    ])
    func `a status of etcd means what happens next`(code: Int, text: String, kind: StoreError.Kind) {
        #expect(StoreError.status(code, text).kind == kind)
    }

    @Test func `a full store is told with the remedy`() {
        #expect(StoreError.status(8, "etcdserver: mvcc: database space exceeded").message.contains("NOSPACE"))
    }
}
