// Each lesson by the name of its page part.
window.segdemoConvolution = mounting({ atrous: AtrousLesson, upsampling: UpsamplingLesson, patches: PatchesLesson, branches: BranchesLesson, loss: LossLesson });
