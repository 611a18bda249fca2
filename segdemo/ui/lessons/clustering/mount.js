// Each lesson by the name of its page part.
const LESSONS = { cloud: CloudLesson, spectrum: SpectrumLesson, toy: ToyLesson, slic: SlicLesson, elbow: ElbowLesson };

window.segdemoClustering = {
  mount(name, root, props, watch, trigger) {
    const lesson = new LESSONS[name](root, (ask) => {
      props.value = { ask };
      trigger("input");
    });
    lesson.show(props.value);
    watch("value", () => lesson.show(props.value));
  },
};
