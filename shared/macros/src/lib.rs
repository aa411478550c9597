//! `#[derive(Wire)]`: fills a struct from a function's environment.

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Field, Fields, Ident, parse_macro_input};

/// Implements `Wire` for a struct with named fields: each field is wired by its type, or, with `#[wire(method)]`, read by that
/// method of `Edge`. Every field is wired before the first problem is returned, so that all problems are reported at once.
#[proc_macro_derive(Wire, attributes(wire))]
pub fn wire(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<proc_macro2::TokenStream, Error> {
    let name = &input.ident;
    let syn::Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(name, "only a struct can be wired"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(name, "only a struct with named fields can be wired"));
    };
    let names: Vec<_> = fields.named.iter().filter_map(|field| field.ident.as_ref()).collect();
    let values = fields.named.iter().map(value).collect::<Result<Vec<_>, _>>()?;
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics ::countersign_shared::runtime::edge::Wire for #name #arguments #conditions {
            fn wire(
                edge: &::countersign_shared::runtime::edge::Edge,
            ) -> ::core::result::Result<Self, ::countersign_shared::runtime::edge::Refused> {
                #(let #names = #values;)*
                ::core::result::Result::Ok(Self { #(#names: #names?),* })
            }
        }
    })
}

fn value(field: &Field) -> Result<proc_macro2::TokenStream, Error> {
    let ty = &field.ty;
    match field.attrs.iter().find(|attribute| attribute.path().is_ident("wire")) {
        Some(attribute) => {
            let method: Ident = attribute.parse_args()?;
            Ok(quote!(edge.#method()))
        }
        None => Ok(quote!(<#ty as ::countersign_shared::runtime::edge::Wire>::wire(edge))),
    }
}
