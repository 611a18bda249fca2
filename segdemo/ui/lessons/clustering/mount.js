// Each lesson by the name of its page part.
window.segdemoClustering = mounting({ cloud: CloudLesson, spectrum: SpectrumLesson, toy: ToyLesson, slic: SlicLesson, elbow: ElbowLesson });
