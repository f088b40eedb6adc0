// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FlowAggregation
import NetworkModel
import Testing

@testable import AgentCore

@Suite struct FlowFilterTests {
    private static func query(_ change: (inout FlowQuery) -> Void) -> FlowQuery {
        var query = FlowQuery()
        change(&query)
        return query
    }

    @Test(arguments: [
        (
            query { $0.prefixes = ["10.0.0.1/8"] },
            "no prefix \"10.0.0.1/8\": it has bits set outside its prefix; the network is 10.0.0.0/8"
        ),
        (
            query { $0.prefixes = ["10.0.0.0/33"] },
            "no prefix \"10.0.0.0/33\": prefix length 33 is greater than 32; say an address or address/length"
        ),
        (query { $0.labels = [""] }, "\"\" is not a label: the key is empty (`source:key=value`)"),
        (query { $0.labels = ["app=web,"] }, "\"\" is not a label: the key is empty (`source:key=value`)"),
        (query { $0.ports = ["http"] }, "no port \"http\": a number from 0 to 65535"),
    ])
    func `a filter that cannot be meant is refused with what can be`(query: FlowQuery, message: String) {
        #expect(throws: APIError(.badRequest, message)) { try FlowFilter(query) }
    }

    @Test func `a filter's words are taken`() throws {
        let query = Self.query {
            $0.prefixes = ["10.0.0.0/8", "::1"]
            $0.labels = ["k8s:app=web,tier"]
        }
        let filter = try FlowFilter(query)
        #expect(filter.prefixes.map(\.description) == ["10.0.0.0/8", "::1/128"])
        #expect(filter.labels.count == 1)
    }
}
