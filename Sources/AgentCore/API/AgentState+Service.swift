// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath

extension AgentState: ControlService {
    func detach() async throws(APIError) -> DetachReport {
        await shield?.detach()
        do {
            return DetachReport(
                interfaces: try detachAll(), pins: PinDirectory(root: configuration.bpfDirectory).path)
        } catch {
            throw APIError(.commitFailed, "\(error)")
        }
    }
}
