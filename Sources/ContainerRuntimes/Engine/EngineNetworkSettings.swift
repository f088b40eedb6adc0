// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// What both engines say of a container's networks when it is inspected.
struct EngineNetworkSettings: Decodable {
    /// One network of the container.
    struct Network: Decodable {
        let IPAddress: String?
        let GlobalIPv6Address: String?
    }

    // The field names are the engines'.
    let SandboxKey: String?
    let IPAddress: String?
    let GlobalIPv6Address: String?
    let Networks: [String: Network]?

    /// The addresses that the engine gave the container.
    var addresses: [NetworkModel.IPAddress] {
        let texts =
            [IPAddress, GlobalIPv6Address] + (Networks ?? [:]).values.flatMap { [$0.IPAddress, $0.GlobalIPv6Address] }
        return Set(texts.compactMap { $0 }.compactMap { NetworkModel.IPAddress($0) }).sorted()
    }
}
