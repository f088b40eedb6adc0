// SPDX-License-Identifier: Apache-2.0

/// How far an attack has come, by the MITRE ATT&CK technique of a finding.
package enum AttackStage: String, Hashable, Sendable, Codable, CaseIterable {
    /// Somebody looks around.
    case reconnaissance
    /// Somebody tries to get in.
    case access
    /// Somebody goes on from inside.
    case spread
    /// A workload takes orders.
    case control
    case exfiltration
    /// Service is denied.
    case impact

    /// Nil for a technique that says nothing about the stage.
    package init?(technique: String) {
        let number = String(technique.prefix { $0 != "." })
        guard let stage = AttackStage.stages[number] else { return nil }
        self = stage
    }

    private static let stages: [String: AttackStage] = [
        "T1018": .reconnaissance, "T1040": .reconnaissance, "T1046": .reconnaissance, "T1049": .reconnaissance,
        "T1590": .reconnaissance, "T1595": .reconnaissance,
        "T1078": .access, "T1110": .access, "T1133": .access, "T1190": .access, "T1557": .access,
        "T1021": .spread, "T1080": .spread, "T1210": .spread, "T1534": .spread, "T1570": .spread,
        "T1071": .control, "T1568": .control, "T1090": .control, "T1095": .control, "T1102": .control,
        "T1571": .control,
        "T1572": .control, "T1573": .control,
        "T1020": .exfiltration, "T1029": .exfiltration, "T1030": .exfiltration, "T1041": .exfiltration,
        "T1048": .exfiltration, "T1567": .exfiltration,
        "T1464": .impact, "T1498": .impact, "T1499": .impact,
    ]
}
