// SPDX-License-Identifier: Apache-2.0

import ControlAPI

extension AgentState: ControlService {
    func detach() async throws(APIError) -> DetachReport {
        do {
            return DetachReport(detached: try detachAll(), unpinned: 0)
        } catch {
            throw APIError(.commitFailed, "\(error)")
        }
    }
}
