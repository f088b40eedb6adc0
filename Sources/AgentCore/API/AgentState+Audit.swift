// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import Logging
import NetworkModel

extension AgentState {
    /// True if what policy denies the workload at its end passes and is reported: for it alone, or for its namespace.
    func isAudited(_ workload: Workload) -> Bool {
        auditedWorkloads.contains(workload.key) || isAudited(workload.labels)
    }

    /// True if the namespace of these labels is in audit mode.
    func isAudited(_ labels: LabelSet) -> Bool {
        guard !auditedNamespaces.isEmpty, let namespace = labels.namespace else { return false }
        return auditedNamespaces.contains(namespace)
    }

    func setEndpointAudit(_ id: String, _ isOn: Bool) async throws(APIError) -> EndpointRecord {
        let workload = try known(id)
        let before = auditedWorkloads
        if isOn { auditedWorkloads.insert(workload.key) } else { auditedWorkloads.remove(workload.key) }
        try persistAudit { auditedWorkloads = before }
        updateEndpoints()
        return try await endpoint(workload.key)
    }

    /// Audit mode of a namespace holds for whom it has now and for whom it will have; nobody need be in it.
    func setNamespaceAudit(_ name: String, _ isOn: Bool) async throws(APIError) -> StatusReport {
        guard LabelSet.isNamespaceName(name) else {
            throw APIError(
                .badRequest,
                "\"\(name)\" is no name of a namespace: lower-case letters, digits and hyphens, 63 at most")
        }
        let before = auditedNamespaces
        if isOn { auditedNamespaces.insert(name) } else { auditedNamespaces.remove(name) }
        try persistAudit { auditedNamespaces = before }
        updateEndpoints()
        logger.notice("audit mode", metadata: ["namespace": "\(name)", "mode": "\(isOn ? "on" : "off")"])
        return try await status()
    }

    func setAudit(_ isOn: Bool) async throws(APIError) -> StatusReport {
        let before = isAudit
        isAudit = isOn
        try persistAudit { isAudit = before }
        do {
            try configureDatapath()
        } catch {
            isAudit = before
            // What was refused must not come into force with the next start.
            try persistAudit {}
            throw APIError(.commitFailed, "\(error)")
        }
        logger.notice("audit mode", metadata: ["mode": "\(isOn ? "on" : "off")"])
        return try await status()
    }

    /// Writes the audit modes down; `restore` puts back what the disk did not take.
    private func persistAudit(orElse restore: () -> Void) throws(APIError) {
        do throws(AgentError) {
            try persist(nil, workloads: engine.input.workloads)
        } catch {
            restore()
            throw APIError(.commitFailed, error.description)
        }
    }
}

extension LabelSet {
    /// True for a DNS label: up to 63 lower-case letters, digits and hyphens, none of these at an end.
    fileprivate static func isNamespaceName(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        let isAlphanumeric = { (byte: UInt8) in (97...122).contains(byte) || (48...57).contains(byte) }
        guard (1...63).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last) && bytes.allSatisfy { isAlphanumeric($0) || $0 == 45 }
    }
}
