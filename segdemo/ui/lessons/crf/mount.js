// Each lesson by the name of its page part.
window.segdemoCrf = mounting({ pairwise: PairwiseLesson, film: FilmLesson, terms: TermsLesson, scanline: ScanlineLesson });
