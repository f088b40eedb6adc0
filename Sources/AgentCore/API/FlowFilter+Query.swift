// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EventModel
import FlowAggregation
import IdentityModel
import NetworkModel

extension FlowFilter {
    /// Checks the texts of a query; each error names the text and what is accepted.
    init(_ query: FlowQuery) throws(APIError) {
        self.init()
        endpoints = query.endpoints
        direction = try query.direction.map { text throws(APIError) in
            try FlowFilter.value(Direction(text), "direction", text, "ingress or egress")
        }
        for text in query.verdicts {
            let known = Verdict.allCases.map(\.name).joined(separator: ", ")
            verdicts.append(try FlowFilter.value(Verdict(name: text), "verdict", text, known))
        }
        for text in query.reasons {
            let known = DropReason.allCases.dropFirst().map(\.name).joined(separator: ", ")
            reasons.append(try FlowFilter.value(DropReason(name: text), "drop reason", text, known))
        }
        for text in query.ports {
            ports.append(try FlowFilter.value(UInt16(text), "port", text, "a number from 0 to 65535"))
        }
        for text in query.protocols {
            let known = "tcp, udp, sctp, icmp, icmpv6 or a number"
            protocols.append(try FlowFilter.value(IPProtocol(text), "protocol", text, known))
        }
        for text in query.prefixes {
            prefixes.append(try FlowFilter.prefix(text))
        }
        for text in query.identities {
            let reserved = reservedIdentities.first { $0.name == text }?.identity
            let number = UInt32(text).map(NumericIdentity.init(rawValue:))
            identities.append(
                try FlowFilter.value(reserved ?? number, "identity", text, "a number or a reserved name such as world"))
        }
        for text in query.labels { labels.append(try FlowFilter.selector(text)) }
    }

    private static func value<Value>(
        _ value: Value?, _ what: String, _ text: String, _ known: String
    ) throws(APIError) -> Value {
        guard let value else { throw APIError(.badRequest, "no \(what) \"\(text)\": \(known)") }
        return value
    }

    private static func prefix(_ text: String) throws(APIError) -> CIDR {
        if let address = IPAddress(text) { return CIDR(host: address) }
        do throws(AddressSyntaxError) {
            return try CIDR.parse(text)
        } catch {
            // With bits behind the length the reason names the network already.
            let remedy = (try? CIDR.parseLenient(text)) == nil ? "; say an address or address/length" : ""
            throw APIError(.badRequest, "no prefix \"\(text)\": \(error.reason)\(remedy)")
        }
    }

    /// `k8s:app=web,tier`: every label must be there; without a source it may be of any, without a value have any.
    private static func selector(_ text: String) throws(APIError) -> LabelSelector {
        var requirements: [LabelRequirement] = []
        // An empty one would match every flow, which nobody asks for by a filter.
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            do throws(LabelSyntaxError) {
                let label = try Label.parse(String(part))
                requirements.append(
                    LabelRequirement(
                        source: label.source, key: label.key, part.contains("=") ? .isIn([label.value]) : .exists))
            } catch {
                throw APIError(.badRequest, "\"\(part)\" is not a label: \(error.reason)")
            }
        }
        return LabelSelector(requirements)
    }
}
