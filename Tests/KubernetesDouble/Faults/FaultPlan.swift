// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What goes wrong from now on.
///
/// Tests set and clear faults while the server runs.
package final class FaultPlan: Sendable {
    private struct State {
        var faults: [PlacedFault] = []
        var nextNumber = 0
        var onChange: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Sets a fault beside those that are set.
    ///
    /// - Parameters:
    ///   - plural: the resource whose requests it strikes; nil for all requests.
    ///   - verb: the kind of request it strikes; nil for all.
    ///   - times: after so many requests it is over; nil for never.
    /// - Returns: its number, to clear it alone.
    @discardableResult
    package func set(_ fault: Fault, on plural: String? = nil, verb: Verb? = nil, times: Int? = nil) -> Int {
        let (number, changed) = state.withLock { state in
            state.nextNumber += 1
            state.faults.append(
                PlacedFault(number: state.nextNumber, fault: fault, plural: plural, verb: verb, timesLeft: times))
            return (state.nextNumber, state.onChange)
        }
        changed?()
        return number
    }

    /// Clears one fault, or all; watches go on with what they were not told.
    package func clear(_ number: Int? = nil) {
        let changed = state.withLock { state in
            if let number { state.faults.removeAll { $0.number == number } } else { state.faults = [] }
            return state.onChange
        }
        changed?()
    }

    /// What to do when faults change: running watches look again.
    func onChange(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onChange = body } }

    /// The faults that strike a request; those with a number of times have one less.
    func striking(_ plural: String?, _ verb: Verb) -> [Fault] {
        state.withLock { state in
            guard !state.faults.isEmpty else { return [] }
            var striking: [Fault] = []
            for index in state.faults.indices where state.faults[index].applies(to: plural, verb) {
                let left = state.faults[index].timesLeft
                guard left ?? 1 > 0 else { continue }
                state.faults[index].timesLeft = left.map { $0 - 1 }
                striking.append(state.faults[index].fault)
            }
            return striking
        }
    }

    /// The lasting faults of running watches.
    func lasting(_ plural: String) -> WatchFaults {
        state.withLock { state in
            var faults = WatchFaults()
            for placed in state.faults where placed.timesLeft == nil && placed.applies(to: plural, .watch) {
                switch placed.fault {
                case .silence: faults.isSilent = true
                case .onlyBookmarks: faults.holdsChanges = true
                case .coalescing(let milliseconds): faults.coalescingMilliseconds = milliseconds
                case .pieces(let bytes): faults.pieceBytes = bytes
                case .lag(let versions): faults.lag = versions
                default: break
                }
            }
            return faults
        }
    }
}

/// Lasting faults as a running watch asks for them.
struct WatchFaults: Sendable {
    var isSilent = false
    var holdsChanges = false
    var coalescingMilliseconds: Int64?
    var pieceBytes: Int?
    var lag = 0
}

/// The faults that strike one request, sorted by the moment at which they matter.
struct RequestFaults: Sendable {
    /// In place of the server's own answer.
    var answer: Answer?
    var forbids = false
    var forbiddenUsers: [String] = []
    var hasNoAnswer = false
    var isReset = false
    var isLast = false
    var delayMilliseconds: Int64 = 0
    var watchListRefusal: Int?
    var failsWatchList = false
    var expiresContinue = false
    var lag = 0
    var firstLines: [String] = []
    var watchMilliseconds: Int64?
    var pieceBytes: Int?

    init(_ faults: [Fault]) {
        for fault in faults {
            switch fault {
            case .failure(let code, let reason, let retryAfter):
                let error = APIError(
                    code: code, reason: reason, message: "the server fails on purpose: \(reason)",
                    retryAfterSeconds: retryAfter)
                answer = answer ?? Answer(error)
            case .forbidden(let user): if let user { forbiddenUsers.append(user) } else { forbids = true }
            case .html:
                let page = Array("<html><body>Please log in</body></html>".utf8)
                answer = answer ?? Answer(code: 200, contentType: "text/html; charset=utf-8", body: page)
            case .answer(let given): answer = answer ?? given
            case .noAnswer: hasNoAnswer = true
            case .delay(let milliseconds): delayMilliseconds += milliseconds
            case .lastAnswer: isLast = true
            case .reset: isReset = true
            case .refusedWatchList(let code): watchListRefusal = code
            case .failedWatchList: failsWatchList = true
            case .expiredContinue: expiresContinue = true
            case .lag(let versions): lag = versions
            case .firstLine(let line): firstLines.append(line)
            case .shortWatches(let milliseconds): watchMilliseconds = milliseconds
            case .pieces(let bytes): pieceBytes = bytes
            case .silence, .onlyBookmarks, .coalescing: break
            }
        }
    }
}
