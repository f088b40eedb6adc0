// SPDX-License-Identifier: Apache-2.0

import ControlAPI

extension AgentState: ControlService {
    func detach() async throws(APIError) -> DetachReport {
        do {
            return DetachReport(interfaces: try detachAll())
        } catch {
            throw APIError(.commitFailed, "\(error)")
        }
    }
}
