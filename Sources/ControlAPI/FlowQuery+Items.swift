// SPDX-License-Identifier: Apache-2.0

extension FlowQuery {
    /// The query string's items; unknown ones are an error, because a misspelt filter would show everything.
    init(_ request: APIRequest) throws(APIError) {
        self.init()
        for name in ["follow", "last", "direction"] where request.values(name).count > 1 {
            throw QueryRules.twice(name)
        }
        for (name, value) in request.query { try take(name, value) }
    }

    private mutating func take(_ name: String, _ value: String) throws(APIError) {
        switch name {
        case "follow": follow = try QueryRules.boolean(name, value)
        case "last":
            guard let count = Int(value), count >= 0 else {
                throw APIError(.badRequest, "last=\(value): not a number from 0")
            }
            last = count
        case "endpoint": endpoints.append(value)
        case "label": labels.append(value)
        case "identity": identities.append(value)
        case "verdict": verdicts.append(value)
        case "reason": reasons.append(value)
        case "port": ports.append(value)
        case "protocol": protocols.append(value)
        case "cidr": prefixes.append(value)
        case "fqdn": names.append(value)
        case "from-fqdn": sourceNames.append(value)
        case "to-fqdn": destinationNames.append(value)
        case "direction": direction = value
        default:
            throw APIError(
                .badRequest,
                "no flow filter \"\(name)\": follow, last, endpoint, label, identity, verdict, reason, port, protocol, "
                    + "cidr, fqdn, from-fqdn, to-fqdn, direction")
        }
    }

    /// The items of a query string that `init` reads back.
    package var items: [(name: String, value: String)] {
        var items: [(name: String, value: String)] = []
        if follow { items.append(("follow", "true")) }
        if let last { items.append(("last", String(last))) }
        let lists = [
            ("endpoint", endpoints), ("label", labels), ("identity", identities), ("verdict", verdicts),
            ("reason", reasons), ("port", ports), ("protocol", protocols), ("cidr", prefixes),
            ("fqdn", names), ("from-fqdn", sourceNames), ("to-fqdn", destinationNames),
        ]
        for (name, values) in lists { items += values.map { (name, $0) } }
        if let direction { items.append(("direction", direction)) }
        return items
    }
}
