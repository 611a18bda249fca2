// Term by term: the lesson asks; the viewers and the table below it show.

class TermsLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    this.part("network").addEventListener("change", () => root.dataset.state === "result" && this.request());
  }

  question() { return { network: this.part("network").value }; }
  receive() {}
}
