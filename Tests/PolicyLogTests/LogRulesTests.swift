// SPDX-License-Identifier: Apache-2.0

import EventModel
import FlowAggregation
import IdentityModel
import PolicyModel
import Testing

@testable import PolicyLog

@Suite struct LogRulesTests {
    @Test func `without a selection nothing is wanted, with one what it names`() {
        #expect(!LogRules().isWanted(Scene.flow()))
        var rules = LogRules(["a": LogSelection(dispositions: [.deny])])
        #expect(rules.selections(of: Scene.flow(.deny)) == ["a"] && !rules.isWanted(Scene.flow()))
        rules = LogRules(["a": LogSelection(dispositions: [.allow, .audit])])
        #expect(
            rules.isWanted(Scene.flow()) && rules.isWanted(Scene.flow(.audit)) && !rules.isWanted(Scene.flow(.deny)))
    }

    @Test(arguments: [FlowState.established, .reply, .closed, .related])
    func `what goes on of a connection is no verdict of its own`(state: FlowState) {
        let rules = LogRules(["a": LogSelection()])
        #expect(!rules.isWanted(Scene.flow(state: state)) && rules.selections(of: Scene.flow(state: state)) == [])
        #expect(rules.isWanted(Scene.flow(.deny, state: state)))
    }

    @Test func `of policies that say so themselves, until they do not any more or are gone`() {
        var rules = LogRules(["a": LogSelection(isOfAnnotatedOnly: true)])
        #expect(!rules.isWanted(Scene.flow()))
        rules.set(Scene.policy, Scene.logged())
        #expect(rules.isWanted(Scene.flow()) && rules.isWanted(Scene.flow(.deny)))
        #expect(!rules.isWanted(Scene.flow(rule: 17)), "another rule, of a policy that does not want it")
        rules.set(Scene.policy, Scene.logged(false))
        #expect(!rules.isWanted(Scene.flow()))
        rules.set(Scene.policy, Scene.logged())
        rules.set(Scene.policy, nil)
        #expect(!rules.isWanted(Scene.flow()))
    }

    @Test func `a document adds its selection, and takes it along`() {
        var rules = LogRules()
        var document = Scene.logged(false)
        document.logSelection = LogSelection(dispositions: [.deny])
        rules.set(Scene.policy, document)
        #expect(rules.isWanted(Scene.flow(.deny)) && !rules.isWanted(Scene.flow()))
        rules.set(Scene.policy, nil)
        #expect(!rules.isWanted(Scene.flow(.deny)))
    }

    @Test func `of namespaces and labels of the workload that the verdict speaks of`() {
        func isWanted(_ namespaces: Set<String>, _ app: String?) -> Bool {
            let selector = app.map { LabelSelector([.equal(source: LabelSource.any, key: "app", value: $0)]) }
            return LogRules(["a": LogSelection(namespaces: namespaces, workloads: selector)]).isWanted(Scene.flow())
        }
        #expect(isWanted(["shop"], nil) && isWanted(["lab", "shop"], "web"))
        #expect(!isWanted(["lab"], nil) && !isWanted([], "db") && !isWanted(["lab"], "web"))
    }
}
