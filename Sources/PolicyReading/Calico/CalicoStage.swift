// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// What a host endpoint of Calico judges elsewhere than at the host's own connections, and why not here.
struct CalicoStage {
    let field: String
    let reason: String
    let remedy: String

    static let all = [
        CalicoStage(
            field: "doNotTrack", reason: "every flow is tracked here, so replies to what is allowed are allowed",
            remedy: "delete the field, and the rules that are there for replies"),
        CalicoStage(
            field: "preDNAT",
            reason: "it judges traffic on its way through the host too, which the host's devices leave alone",
            remedy: "delete the field for what is addressed to the host, published ports included: it is judged before "
                + "they are translated; write policies of the workloads for the rest"),
        CalicoStage(
            field: "applyOnForward", reason: "traffic that only passes through the host is judged at the workloads",
            remedy: "write the rules for the workloads it goes to or comes from"),
    ]

    /// Says which of them a policy asks for; first what Calico itself would not take.
    static func refuse(_ spec: Mapping) {
        func isSet(_ name: String) -> Bool { spec[name]?.boolean() == true }
        let wanted = all.filter { isSet($0.field) }
        if isSet("doNotTrack"), isSet("preDNAT") {
            spec.keyField("preDNAT")?.error(
                .contradictoryStages, "a policy is either doNotTrack or preDNAT", remedy: "delete one of the two")
            return
        }
        if isSet("preDNAT"), spec.has("egress") {
            spec.keyField("egress")?.error(
                .contradictoryStages, "a preDNAT policy judges what comes in: it has no egress rules",
                remedy: "move them into a policy of their own")
            return
        }
        for stage in wanted {
            spec.keyField(stage.field)?.error(
                .unsupportedStage, "\(stage.field) is not supported: \(stage.reason)", remedy: stage.remedy)
        }
    }
}
