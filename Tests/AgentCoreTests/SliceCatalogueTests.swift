// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import NetworkModel
import Testing

@testable import AgentCore

/// Workloads that stand in several slices, and whose an address is.
@Suite struct SliceCatalogueTests {
    private var catalogue = SliceCatalogue()

    private static func address(_ number: UInt32) -> IPAddress { IPAddress(v4: 0x0acb_0000 + number) }

    private static func workload(_ number: UInt32) -> ClusterWorkload {
        ClusterWorkload(node: "n1", labels: .empty, addresses: [address(number)])
    }

    /// While one moves, or where two have written.
    @Test mutating func `a workload in two slices is the first one's, and stays while one of them has it`() {
        catalogue.set("b", WorkloadSlice(["shop/web": Self.workload(1)]))
        #expect(catalogue.takeChanges() == ["shop/web": Self.workload(1)])
        catalogue.set("a", WorkloadSlice(["shop/web": Self.workload(2)]))
        #expect(catalogue.takeChanges() == ["shop/web": Self.workload(2)])
        catalogue.set("c", WorkloadSlice(["shop/web": Self.workload(3)]))
        #expect(catalogue.takeAll() == ["shop/web": Self.workload(2)])
        catalogue.set("a", nil)
        #expect(catalogue.takeAll() == ["shop/web": Self.workload(1)])
        catalogue.set("b", WorkloadSlice())
        #expect(catalogue.takeAll() == ["shop/web": Self.workload(3)])
        catalogue.set("c", nil)
        #expect(catalogue.takeChanges() == ["shop/web": nil] && catalogue.takeAll().isEmpty)
    }

    @Test mutating func `who has an address that is watched is known at any time`() {
        let address = Self.address(1)
        func isElsewhere(_ key: String = "shop/own") -> Bool { catalogue.isNamed(address, byOthersThan: key) }
        catalogue.set("a", WorkloadSlice(["shop/web": Self.workload(1)]))
        #expect(!isElsewhere(), "nobody asked")
        catalogue.watch([address])
        #expect(isElsewhere() && !isElsewhere("shop/web"))
        catalogue.set("a", WorkloadSlice(["shop/web": Self.workload(2)]))
        #expect(!isElsewhere())
        catalogue.set("b", WorkloadSlice(["shop/own": Self.workload(1)]))
        #expect(!isElsewhere())
        catalogue.set("c", WorkloadSlice(["shop/new": Self.workload(1)]))
        #expect(isElsewhere() && isElsewhere("shop/new"))
        catalogue.replace(with: [:])
        #expect(!isElsewhere())
    }
}
