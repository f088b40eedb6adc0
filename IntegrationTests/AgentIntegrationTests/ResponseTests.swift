// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import ResponseActions
import TestBed
import Testing

/// Answers to real attacks, in this machine's kernel: what is done, what is not, and how it ends.
@Suite(.serialized) struct ResponseTests {
    @Test func `who guesses passwords is blocked, for longer each time, and let in again when the time is over`()
        async throws
    {
        try await withTestBed(subnet: 58) { bed in
            let field = try await AttackField(bed, "response: {mode: on, blockTime: 2s, growth: 4}")
            let agent = try await field.host.startAgent()
            let guesser = field.source(10)
            try await field.addSources([10])
            #expect(try await field.isServed(guesser))
            try await field.guess(from: guesser)
            let first = try await field.awaitAction(.active, guesser)
            #expect(first.detector == "password-guessing" && first.repetition == 1 && first.alert > 0)
            #expect(try await field.isServed(guesser) == false)
            #expect(try await field.isServed(guesser, port: 22), "a failsafe port stays open to whoever is blocked")
            let notes = try await field.host.control.status().notes ?? []
            #expect(notes.contains { $0.message.hasPrefix("failsafe ports (22) stay open") }, "\(notes)")
            #expect(try await field.isServed(field.host.clientAddresses[0]), "nobody else is blocked")
            try await field.awaitAction(.ended, guesser)
            #expect(try await field.isServed(guesser))
            try await field.guess(from: guesser, count: 80)
            let second = try await field.awaitAction(.active, guesser, within: .seconds(15))
            #expect(second.repetition == 2 && second.id > first.id)
            let log = agent.errors + agent.output
            for step in ["response decided", "response active", "response ended"] {
                #expect(log.contains(step), "\(step)")
            }
            #expect(log.contains("password-guessing") && log.contains(guesser))
        }
    }

    @Test func `who guesses passwords is cut off from failsafe ports too where the operator says so`() async throws {
        try await withTestBed(subnet: 58) { bed in
            let field = try await AttackField(
                bed, "response: {mode: off, detectors: {password-guessing: {mode: on, failsafes: true}}}")
            let agent = try await field.host.startAgent()
            try await field.addSources([10])
            try await field.guess(from: field.source(10))
            try await field.awaitAction(.active, field.source(10))
            #expect(try await field.isServed(field.source(10), port: 22) == false)
            #expect(try await field.isServed(field.host.clientAddresses[0], port: 22), "nobody else")
            #expect(try await field.host.control.status().notes == nil)
            // As the kernel has it, and as it is repeated after a start.
            await agent.kill()
            #expect(try await field.isServed(field.source(10), port: 22) == false)
            _ = try await field.host.startAgent()
            #expect(try await field.isServed(field.source(10), port: 22) == false)
            let undo = try await field.host.agent.tool("response", "undo", "--all")
            #expect(undo.status == 0, "\(undo.errors)")
            #expect(try await field.isServed(field.source(10), port: 22))
        }
    }

    @Test func `a killed agent's blocks hold, are known again after the start, and are undone for good`() async throws {
        try await withTestBed(subnet: 58) { bed in
            let field = try await AttackField(bed, "response: {mode: on, blockTime: 1h}")
            let agent = try await field.host.startAgent()
            let (guesser, hand) = (field.source(10), field.source(11))
            try await field.addSources([10, 11])
            try await field.guess(from: guesser)
            let action = try await field.awaitAction(.active, guesser)
            #expect(try await field.host.agent.tool("shield", "block", hand, "--for", "2h").status == 0)
            await agent.kill()
            #expect(try await field.isServed(guesser) == false, "the agent is dead")
            let again = try await field.host.startAgent()
            #expect(try await field.isServed(guesser) == false)
            let list = try await field.host.agent.tool("response", "list")
            #expect(list.output.contains(guesser) && list.output.contains("active"), "\(list.output)\(list.errors)")
            let undo = try await field.host.agent.tool("response", "undo", "\(action.id)")
            #expect(undo.status == 0, "\(undo.errors)")
            #expect(try await field.isServed(guesser))
            #expect(try await field.isServed(hand) == false, "what somebody blocked by hand stays")
            #expect(try await field.host.agent.tool("response", "undo", "\(action.id)").status != 0)
            _ = await again.stop()
            _ = try await field.host.startAgent()
            #expect(try await field.isServed(guesser))
            let whole = try await field.actions(isWhole: true)
            #expect(whole.first { $0.id == action.id }?.state == .undone, "\(whole)")
            #expect(try await field.host.agent.tool("response", "list", "--all").output.contains("undone"))
            // It was let off by hand: nobody begins anew at once.
            try await field.guess(from: guesser, count: 80)
            try await Task.sleep(for: .seconds(2))
            #expect(try await field.isServed(guesser))
        }
    }

    @Test func `blocks come back after a reboot, with their causes and for what is left of their time`() async throws {
        try await withTestBed(subnet: 58) { bed in
            let field = try await AttackField(bed, "response: {mode: on, blockTime: 1h}")
            let agent = try await field.host.startAgent()
            let (guesser, hand, short) = (field.source(10), field.source(11), field.source(12))
            try await field.addSources([10, 11, 12])
            try await field.guess(from: guesser)
            try await field.awaitAction(.active, guesser)
            for (address, time) in [(hand, "2h"), (short, "3s")] {
                let block = try await field.host.agent.tool(
                    "shield", "block", address, "--for", time, "--cause", "ours")
                #expect(block.status == 0, "\(block.errors)")
            }
            try await Task.sleep(for: .seconds(2))
            await agent.kill()
            // What a reboot leaves: the state directory, and nothing in the kernel.
            try await field.host.agent.tool("detach", "--bpffs", field.host.agent.pinDirectory).checked()
            #expect(try await field.isServed(hand))
            try await Task.sleep(for: .seconds(2))
            _ = try await field.host.startAgent()
            #expect(try await field.isServed(hand) == false)
            #expect(try await field.isServed(guesser) == false)
            #expect(try await field.isServed(short), "its time was over meanwhile")
            let blocks = try await field.host.control.shieldReport().blocks
            #expect(blocks.count == 2, "\(blocks)")
            let mine = try #require(blocks.first { $0.prefix.hasPrefix(hand) })
            #expect(mine.cause == "ours" && (7100...7198).contains(mine.secondsLeft), "\(mine)")
        }
    }

    @Test func `a dry run writes down what it would do, and does nothing`() async throws {
        try await withTestBed(subnet: 58) { bed in
            let field = try await AttackField(bed, "response: {blockTime: 1h}")
            _ = try await field.host.startAgent()
            try await field.addSources([10])
            try await field.guess(from: field.source(10))
            try await field.awaitAction(.wouldAct, field.source(10))
            #expect(try await field.isServed(field.source(10)))
            #expect(try await field.host.control.shieldReport().blocks.isEmpty)
        }
    }
}
