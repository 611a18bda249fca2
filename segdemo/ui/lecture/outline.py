"""What the lecture says, in its order, and where the page shows each of it."""

from __future__ import annotations

from dataclasses import dataclass

CLUSTERING, GRAPH_CUT, NETWORKS = "Clustering", "Graph cut", "Networks"


@dataclass(frozen=True)
class Place:
    """Somewhere on the page: a tab, the element in it (its id), and the networks to select there, if any."""

    label: str
    tab: str
    element: str
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topic:
    """``formula`` is HTML in pieces between which a line may break, as in the lecture or its paper; ``text`` is what it means."""

    title: str
    formula: tuple[str, ...]
    text: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Part:
    title: str
    text: str
    topics: tuple[Topic, ...]


DEFINITION = (
    "Segmentation partitions an image into regions. Semantic segmentation gives each pixel a category, "
    "without telling instances apart."
)

OUTLINE = (
    Part(
        "Segmentation as clustering",
        "Pixels that are alike form a group. Nobody says what the groups mean.",
        (
            Topic(
                "Superpixels",
                ("D² = d<sub>c</sub>² + m² (d<sub>s</sub> / S)²",),
                "Local, coherent groups that keep the structure: pixels are no natural entities, and too many to optimize over.",
                (
                    Place("On the photo", CLUSTERING, "viewer-slic"),
                    Place("SLIC at work", CLUSTERING, "slic-lesson"),
                ),
            ),
            Topic(
                "k-means",
                ("min<sub>c, δ</sub> Σ<sub>i</sub> Σ<sub>j</sub> δ<sub>ij</sub> (x<sub>i</sub> − c<sub>j</sub>)²,", "δ<sub>ij</sub> ∈ {0, 1},", "δ1 = 1"),
                "Each pixel goes to the nearest centre, each centre to the mean of its pixels; the objective never rises.",
                (
                    Place("On the photo", CLUSTERING, "viewer-kmeans"),
                    Place("In colour space", CLUSTERING, "cloud-lesson"),
                    Place("How many clusters?", CLUSTERING, "elbow-lesson"),
                ),
            ),
            Topic(
                "Spectral clustering",
                ("min<sub>f</sub> fᵀLf / fᵀDf,", "fᵀD1 = 0", "⇒ L f = λ D f,", "L = D − W"),
                "Pixels or superpixels are nodes, affinities edges; eigenvectors of the Laplacian find groups that hang together.",
                (
                    Place("On the photo", CLUSTERING, "viewer-ncut"),
                    Place("Affinities and eigenvectors", CLUSTERING, "spectrum-lesson"),
                    Place("Where k-means fails", CLUSTERING, "toy-lesson"),
                ),
            ),
        ),
    ),
    Part(
        "Segmentation as energy minimization",
        "What each pixel looks like, and that neighbours agree: one number to make small.",
        (
            Topic(
                "Graph cut",
                ("E(L) = Σ<sub>p</sub> D<sub>p</sub>(L<sub>p</sub>)", "+ Σ<sub>(p,q)</sub> V<sub>pq</sub>(L<sub>p</sub>, L<sub>q</sub>)"),
                "Between source and sink, the minimum cut is the exact minimum of the energy.",
                (
                    Place("Scribble and cut", GRAPH_CUT, "pad"),
                    Place("The graph, path by path", GRAPH_CUT, "graph-lesson"),
                    Place("All cuts over λ", GRAPH_CUT, "solutions-lesson"),
                ),
            ),
            Topic(
                "Conditional random field",
                ("p(y | x) = exp{Σ<sub>k</sub> λ<sub>k</sub> f<sub>k</sub>(y, x)} / Z(x)",),
                "A unary term for each pixel, a pairwise term for each pair; mean field finds the beliefs.",
                (
                    Place("Unary, pairwise, both", NETWORKS, "terms-lesson"),
                    Place("The pairwise term of a pixel", NETWORKS, "pairwise-lesson"),
                    Place("Mean field", NETWORKS, "film-lesson"),
                ),
            ),
            Topic(
                "Generative against discriminative",
                ("HMM: p(Y, X) = Π<sub>n</sub> p(y<sub>n</sub> | y<sub>n−1</sub>) p(x<sub>n</sub> | y<sub>n</sub>)", "<br>", "CRF: p(Y | X) =", "exp{Σ<sub>n,m</sub> λ<sub>m</sub> f<sub>m</sub>(y<sub>n</sub>, y<sub>n−1</sub>, x<sub>n</sub>)} / Z(X)"),
                "The hidden Markov model explains the pixels as well; the linear-chain CRF only labels them.",
                (Place("Both, line by line", NETWORKS, "scanline-lesson"),),
            ),
        ),
    ),
    Part(
        "Learned pixel by pixel",
        "A network learns from labelled photos which category each pixel has.",
        (
            Topic(
                "Patch by patch",
                (),
                "Each pixel is classified by the patch around it. Very inefficient: overlapping patches share nothing.",
                (Place("Patches against one pass", NETWORKS, "patches-lesson"),),
            ),
            Topic(
                "Fully convolutional network",
                ("−Σ<sub>i</sub> ln p<sub>i</sub>(y<sub>i</sub>),", "field of L layers 3 × 3:", "1 + 2L"),
                "All layers convolutional, the output brought back to the photo's resolution, trained with softmax cross-entropy per pixel: 32s good, 16s better, 8s even better.",
                (
                    Place("32s, 16s, 8s", NETWORKS, "network-methods", ("fcn-32s", "fcn-16s", "fcn-8s")),
                    Place("Softmax and cross-entropy", NETWORKS, "loss-lesson"),
                    Place("What each skip adds", NETWORKS, "branches-lesson"),
                    Place("How far they look", NETWORKS, "field-box"),
                ),
            ),
            Topic(
                "SegNet",
                ("f<sub>xy</sub> = Σ<sub>ij</sub> f<sub>ij</sub>", "max(0, 1 − |x − i|)", "max(0, 1 − |y − j|)"),
                "Encoder and decoder; upsampling by interpolation, by fixed unpooling, or to where each maximum came from.",
                (
                    Place("Three upsamplings", NETWORKS, "network-methods", ("segnet", "segnet-fixed", "segnet-bilinear")),
                    Place("Pooling and the ways back", NETWORKS, "upsampling-lesson"),
                    Place("Encoder and decoder, map by map", NETWORKS, "maps-lesson"),
                ),
            ),
            Topic(
                "U-Net",
                (),
                "Skip connections: each stage of the decoder also gets the encoder's map of its size. Cut one, and see what is lost.",
                (
                    Place("U-Net and its switches", NETWORKS, "network-methods", ("unet",)),
                    Place("What each skip adds", NETWORKS, "branches-lesson"),
                ),
            ),
            Topic(
                "DeepLab",
                ("y[i] = Σ<sub>k</sub> x[i + r · k] w[k]",),
                "Atrous convolution looks far without losing resolution, a pyramid of rates sees every scale, a CRF finds the edges.",
                (
                    Place("Before and after the CRF", NETWORKS, "network-methods", ("deeplab-v2",)),
                    Place("Atrous convolution", NETWORKS, "atrous-lesson"),
                    Place("The pyramid, rate by rate", NETWORKS, "branches-lesson"),
                    Place("Score and belief maps", NETWORKS, "film-lesson"),
                ),
            ),
            Topic(
                "DeepLabv3+",
                ("k² · C + C · C′", "in place of", "k² · C · C′"),
                "Atrous pyramid in an encoder-decoder with a skip; convolutions depthwise separable.",
                (
                    Place("DeepLabv3+", NETWORKS, "network-methods", ("deeplab-v3plus",)),
                    Place("What convolutions cost", NETWORKS, "patches-lesson"),
                ),
            ),
            Topic(
                "SegFormer",
                ("softmax(Q Kᵀ / √d) V",),
                "A pyramid of transformers and a light decoder of MLPs, which profits from attention across the whole photo.",
                (
                    Place("SegFormer", NETWORKS, "network-methods", ("segformer-b0",)),
                    Place("What each stage adds", NETWORKS, "branches-lesson"),
                    Place("Fields; pyramids and columns", NETWORKS, "field-box"),
                    Place("Accuracy against cost", NETWORKS, "zoo-box"),
                ),
            ),
        ),
    ),
)  # fmt: skip


def places() -> list[Place]:
    """All places of the outline, in its order."""
    return [place for part in OUTLINE for topic in part.topics for place in topic.places]
