// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath
import NetworkModel
import ResponseActions

/// Carries actions out by the shield and by policies.
struct AgentActuator: ResponseActuator {
    let state: AgentState
    let configuration: ResponseConfiguration

    func carryOut(
        _ action: ResponseAction, for duration: Duration, cause: String, closesFailsafes: Bool
    ) async throws(ResponseFailure) {
        do throws(APIError) {
            switch action {
            case .block(let prefix):
                let seconds = min(duration.components.seconds, ShieldBlockRequest.secondsRange.upperBound)
                try await state.requireShield().answer(
                    prefix, seconds: seconds, cause: cause, closesFailsafes: closesFailsafes,
                    rails: await state.railsWithSessions())
            case .rateLimit(let address): try await limit(address)
            case .synDefence(let address, let port):
                try await state.defend(SynDemand(address: address, port: port), isOn: true)
            case .quarantine(let address):
                try await state.quarantine(
                    address, allowing: configuration.quarantineAllows, most: configuration.quarantineWorkloadsMax,
                    cause: cause)
            }
        } catch {
            throw ResponseFailure(error.message, isFinal: error.code == .refused)
        }
    }

    private func limit(_ address: IPAddress) async throws(APIError) {
        guard !configuration.limits.isEmpty else {
            throw APIError(.refused, "no limits are configured: set `response.limits`")
        }
        try await state.requireShield().limit(configuration.limits, for: address)
    }

    func undo(_ action: ResponseAction, cause: String) async throws(ResponseFailure) {
        do throws(APIError) {
            switch action {
            case .block(let prefix):
                // An agent whose shield is off took the blocks away with it.
                try await state.shield?.lift(prefix, cause: cause)
            case .rateLimit(let address): try await state.shield?.limit([:], for: address)
            case .synDefence(let address, let port):
                try await state.defend(SynDemand(address: address, port: port), isOn: false)
            case .quarantine(let address): try await state.liftQuarantine(address)
            }
        } catch {
            // It ended by itself, or somebody was faster.
            guard error.code != .notFound else { return }
            throw ResponseFailure(error.message)
        }
    }
}
