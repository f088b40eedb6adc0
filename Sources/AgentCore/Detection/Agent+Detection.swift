// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath
import Logging

extension Agent {
    /// From the sensors' reports to alerts, as long as the agent runs; returns at once where either is off.
    func detect(_ state: AgentState) async {
        guard configuration.shield.settings.senses, let shield = await state.shield, let alerts = await state.alerts
        else { return }
        let store = LearntStore(path: configuration.learntPath)
        let detection = DetectionKeeper(configuration.shield.detectors, store: store) { await alerts.consume($0) }
        await state.use(detection)
        if let problem = await detection.status.problem { logger.warning("detection: \(problem)") }
        await detection.follow(await shield.activities())
    }
}
