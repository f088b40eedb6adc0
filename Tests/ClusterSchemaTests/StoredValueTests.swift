// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import Testing

@testable import ClusterSchema

@Suite struct StoredValueTests {
    @Test func `a workload comes back as it was`() throws {
        let workload = StoreFixture.cluster("a")
        let value = StoredWorkload(workload)
        #expect(
            String(decoding: value.bytes, as: UTF8.self)
                == #"{"addresses":["10.0.0.1"],"labels":{"k8s":{"app":"web"}},"ports":[{"name":"http","number":8080,"proto":6}],"version":1}"#
        )
        #expect(try StoredWorkload(reading: value.bytes).workload(node: "a") == workload)
    }

    @Test func `fields of a newer program are ignored`() throws {
        let text = #"{"version":1,"labels":{"k8s":{"a":"b"}},"addresses":["::1"],"zone":{"name":"x"}}"#
        #expect(try StoredWorkload(reading: text.bytes).workload(node: "a").labels.description == "k8s:a=b")
    }

    @Test(arguments: [
        ("", "not a JSON object with a version"), ("[1]", "not a JSON object with a version"),
        (#"{"version":2,"labels":{},"addresses":[]}"#, "of version 2"),
        (#"{"version":1,"labels":[],"addresses":[]}"#, "not those of version 1"),
        (#"{"version":1,"labels":{},"addresses":["10.0.0.256"]}"#, "one of its addresses"),
        (#"{"version":1,"labels":{"reserved":{"host":""}},"addresses":[]}"#, "reserved"),
        (#"{"version":1,"labels":{"K:8":{"a":""}},"addresses":[]}"#, "no source"),
    ])
    func `what is no workload of this version is told`(text: String, reason: String) {
        let error = #expect(throws: StoredValueError.self) {
            try StoredWorkload(reading: text.bytes).workload(node: "a")
        }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func `more than anybody needs is refused`() {
        let labels = (0...StoredWorkload.labelsMax).map { "\"k\($0)\":\"\"" }.joined(separator: ",")
        let addresses = (0...StoredWorkload.addressesMax).map { "\"10.0.0.\($0)\"" }.joined(separator: ",")
        let ports = Array(repeating: #"{"name":"a","proto":6,"number":1}"#, count: StoredWorkload.portsMax + 1)
        for text in [
            #"{"version":1,"labels":{"k8s":{\#(labels)}},"addresses":[]}"#,
            #"{"version":1,"labels":{},"addresses":[\#(addresses)]}"#,
            #"{"version":1,"labels":{},"addresses":[],"ports":[\#(ports.joined(separator: ","))]}"#,
        ] {
            #expect(throws: StoredValueError.self) { try StoredWorkload(reading: text.bytes).workload(node: "a") }
        }
        let long = String(repeating: " ", count: StoredNode.bytesMax) + #"{"version":1}"#
        #expect(throws: StoredValueError.self) { try StoredNode(reading: long.bytes) }
    }

    @Test func `whose a node's key is can be read of any version`() {
        #expect(StoredNode.holder(#"{"version":9,"instance":"i","since":"s"}"#.bytes) == ("i", "s"))
        #expect(StoredNode.holder("?".bytes) == ("", "unknown"))
    }
}

/// What the fuzzer does with every input, for inputs that a person thought of.
@Suite struct StoreFuzzTests {
    @Test(arguments: [
        "", "{}", #"{"version":1}"#, String(repeating: "[", count: 4000), "nodes/a", "workloads/a/%2D/b",
        #"{"version":1,"labels":{"k8s":{"a":"b","":""},"any":{}},"addresses":["::1","::1"],"ports":[]}"#,
        #"{"text":"a","appliedBy":"","appliedAt":"","version":1}"#, #"{"version":1e400}"#, "\u{0}",
    ])
    func `a stranger's bytes break no promise`(text: String) {
        #expect(fuzzStoreValues(text.bytes))
    }
}
