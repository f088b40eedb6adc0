// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// The container that an event is about; what happened to it is then asked, not believed.
enum EngineEvent {
    /// Actions after which a container's workload may differ.
    ///
    /// `die` (Docker) and `died` (podman) come before `stop`.
    private static let containerActions: Set<String> = [
        "start", "die", "died", "stop", "kill", "remove", "destroy", "rename", "restart", "cleanup", "update",
        "restore",
    ]

    /// Reads one line of either engine's event stream; nil if no workload is concerned.
    static func containerID(_ line: [UInt8]) -> String? {
        guard let event = try? JSONDecoder().decode(Line.self, from: Data(line)) else { return nil }
        switch event.kind {
        case "container":
            guard let action = event.Action, containerActions.contains(action) else { return nil }
            return event.Actor?.ID
        case "network":
            // Docker's actor is the network and names the container in an attribute; podman's is the container.
            guard event.Action == "connect" || event.Action == "disconnect" else { return nil }
            return event.Actor?.Attributes?["container"] ?? event.Actor?.ID
        default: return nil
        }
    }

    // The field names are the engines'.
    private struct Line: Decodable {
        struct Actor: Decodable {
            let ID: String
            let Attributes: [String: String]?
        }
        // Spelled `Type` in JSON, which Swift does not allow as a member's name.
        let kind: String?
        let Action: String?
        let Actor: Actor?

        enum CodingKeys: String, CodingKey {
            case kind = "Type"
            case Action
            case Actor
        }
    }
}
