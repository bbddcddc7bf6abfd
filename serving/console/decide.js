// What an operator decides: the words that say what will happen, and the dialog that asks.

import { differs } from "./words.js";

const ASKED = {
  stop: (experiment) => {
    const promoted = experiment.decision?.action === "promote" ? experiment.decision.arm : null;
    return {
      title: promoted ? `Roll back “${promoted}”?` : `Stop “${experiment.key}”?`,
      words: `${promoted ? `“${promoted}” is ranked by no more, and nobody is drawn` : "Nobody is drawn any more"}: within `
        + "a second all shoppers are ranked as outside of the experiment. No request fails, and what was logged stays. After "
        + "“Resume” everybody has the arm of before.",
      yes: promoted ? "Roll back" : "Stop it",
      done: promoted ? `“${promoted}” is rolled back.` : `“${experiment.key}” is stopped.`,
    };
  },
  promote: (experiment, arm) => ({
    title: `Promote “${arm.key}”?`,
    words: `Within a second everybody whom its targeting means is ranked by “${arm.key}” (${differs(arm)}), also the `
      + "holdout and who was outside of its share. Nobody is drawn any more, so the comparison ends here. “Roll back” "
      + "ends the promotion, “Resume” goes on comparing. The rules stay as declared: what is to stay belongs into them.",
    yes: `Promote ${arm.key}`,
    done: `“${arm.key}” of “${experiment.key}” is promoted.`,
  }),
  resume: (experiment) => ({
    title: `Resume “${experiment.key}”?`,
    words: "What was decided is taken back: within a second shoppers are drawn as the rules declare it, and everybody "
      + "has the arm of before.",
    yes: "Resume it",
    done: `“${experiment.key}” draws again.`,
  }),
};

export class Decide {
  /** send(key, decision): posts it; done(key, words): after it was taken. */
  constructor(dialog, send, done) {
    this.dialog = dialog;
    const found = (id) => dialog.querySelector(`#decide-${id}`);
    this.parts = { title: found("title"), words: found("words"), why: found("why"), yes: found("yes"), problem: found("problem") };
    found("no").addEventListener("click", () => dialog.close());
    dialog.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault(); // the page's policy forbids to send forms
      const { experiment, action, arm, asked } = this;
      const why = this.parts.why.value.trim();
      this.busy(true);
      try {
        await send(experiment.key, { action, why, ...(arm ? { arm: arm.key } : {}) });
      } catch (error) {
        this.parts.problem.textContent = `Nothing was changed: ${error.message}.`;
        this.parts.problem.hidden = false;
        return;
      } finally {
        this.busy(false);
      }
      dialog.close();
      done(experiment.key, asked.done);
    });
  }

  ask(experiment, action, arm) {
    const asked = ASKED[action](experiment, arm);
    Object.assign(this, { experiment, action, arm, asked });
    const { title, words, why, yes, problem } = this.parts;
    title.textContent = asked.title;
    words.textContent = asked.words;
    yes.textContent = asked.yes;
    yes.classList.toggle("danger", action === "stop");
    why.value = "";
    problem.hidden = true;
    this.dialog.showModal();
    why.focus();
  }

  busy(is) {
    this.parts.yes.disabled = is;
    this.dialog.setAttribute("aria-busy", String(is));
  }
}
